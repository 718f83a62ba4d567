"""Feature vectors that somebody else computed: read, checked, and brought to the form in which features are stored."""
