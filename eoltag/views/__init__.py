"""Views for people over the tables of an output directory: SQL for DuckDB and for Spark."""
