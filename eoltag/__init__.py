"""Tag very large image collections with image classifiers, as one Spark job. Start at architecture.md."""

__all__ = ["__version__"]

__version__ = "0.2.0"
