"""`evaluate` and `classify`: a package on images."""
