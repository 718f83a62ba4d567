"""`export`: OpenVINO files of a package, and faster precisions that are proven."""
