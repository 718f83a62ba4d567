"""Decisions on Spark: rows and predictions to tags."""
