"""Image files on disk: finding, reading, listing them."""
