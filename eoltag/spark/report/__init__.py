"""The report: what the page shows, asked of the tables."""
