"""Faults on purpose: what a job leaves behind, whatever happens to it."""
