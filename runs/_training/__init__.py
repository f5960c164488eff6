"""Training in reading order: the loop, its state, the order of data, the forward pass."""
