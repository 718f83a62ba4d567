"""Publications: what others read. Their versions, the guards before a switch, and the formats of the standards."""
