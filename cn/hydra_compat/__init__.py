"""What is Hydra's: the ConfigStore, its configuration, its own options and plugins."""

# What other packages may import, by file.
OFFERS = {
    "options": ("refuse", "run_hydra"),
    "store": ("Entry", "Folder"),
}
