"""The commands of `eoltag`, a file each: arguments to requests, nothing else. registry.py lists them."""
