"""Training sets: reading, splitting, augmenting, weighting."""
