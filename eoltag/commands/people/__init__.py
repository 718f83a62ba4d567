"""The commands by which people judge tags: on a page, in tables, and for a certificate."""
