"""Tag very large image collections with image classifiers, as one Spark job. Start at architecture.md."""

__version__ = "0.1.0"
