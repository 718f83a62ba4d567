"""Tests of eoltag.publish."""
