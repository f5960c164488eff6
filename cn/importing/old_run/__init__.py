"""A run of Hydra, from before its tree was imported, as a run of the classes."""
