"""Images: bytes to upright RGB pixels, and what is measured on them."""
