"""Review: a local page on which people judge tags, keyboard first."""
