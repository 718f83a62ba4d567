"""Near-duplicates: fingerprints, and which of them match."""
