"""What is known of an output directory without reading its tables again."""
