"""`collect`: a search for images by term, with their sources."""
