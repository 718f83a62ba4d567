"""Functions on DataFrames of any session: a column of URLs becomes a column of tags."""
