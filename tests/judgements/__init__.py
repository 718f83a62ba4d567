"""Tests of eoltag.judgements."""
