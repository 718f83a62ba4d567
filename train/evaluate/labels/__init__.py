"""Packages whose labels are each yes or no by itself: their measures, calibration, evaluation and page."""
