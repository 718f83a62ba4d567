"""`thresholds`: confidences above which a promised error holds."""
