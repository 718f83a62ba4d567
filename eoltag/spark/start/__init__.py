"""What makes a local run start quickly: warm Python workers, an archive of Java classes."""
