"""Pages for people, and the program that makes their tables from the code."""
