"""Task files: rules and columns in SQL, read and checked without Spark."""
