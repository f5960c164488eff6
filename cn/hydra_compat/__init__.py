"""What is Hydra's: the ConfigStore, its configuration, its own options and plugins."""

# What other packages may import: the names of each file.
OFFERS = {
    "options": "refuse run_hydra",
    "store": "Entry Folder",
}
