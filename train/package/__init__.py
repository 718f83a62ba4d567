"""Model packages as training writes them."""
