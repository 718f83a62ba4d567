"""What `prepare` reads: folders, lists of URLs, and published tables."""
