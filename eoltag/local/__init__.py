"""This machine: which of its processes live, and changes on its disks that are whole or not there."""
