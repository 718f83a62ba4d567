"""Tests of eoltag.audit."""
