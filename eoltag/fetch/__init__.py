"""Downloads: one URL to bytes or an outcome, politely and safely."""
