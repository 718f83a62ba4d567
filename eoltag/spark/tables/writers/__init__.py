"""Writers of tags as files for people and other programs: one file per bundle, in the order of its rows."""
