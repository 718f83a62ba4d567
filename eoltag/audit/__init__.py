"""Audits: images drawn at random from what is published, and what their judgements say of all the rest."""
