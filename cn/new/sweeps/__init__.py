"""Each other file of this folder is a sweep: `python -m cn sweeps submit rates`."""
