"""Decisions on Spark: rows and facts to tags."""
