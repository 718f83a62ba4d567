"""`compare`: packages side by side."""
