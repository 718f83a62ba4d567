"""What `eoltag demo` does: a server on this machine for drawn pictures, and the commands from nothing to tags."""
