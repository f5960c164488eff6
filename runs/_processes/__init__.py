"""Several processes of one run: rendezvous, collectives, restart, stop, and sharded checkpoints."""
