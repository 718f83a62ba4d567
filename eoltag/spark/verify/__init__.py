"""Checks of an output directory: each compares what is there with something that was written beside it."""
