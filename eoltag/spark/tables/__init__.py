"""The output directory: tables, TSV files, thumbnails, run documents."""
