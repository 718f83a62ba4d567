"""People's judgements of tags: append-only files that several people write at once, and what they agree on."""
