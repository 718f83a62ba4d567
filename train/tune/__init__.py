"""`tune`: a search for settings of `fit`."""
