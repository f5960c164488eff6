"""Import a tree of Hydra YAML files as node classes, and prove what is equal."""

# What other packages may import, by file.
OFFERS: dict[str, tuple[str, ...]] = {}
