"""Tests of eoltag.review."""
