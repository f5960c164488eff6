"""Import a tree of Hydra YAML files as node classes, and prove what is equal."""

# What other packages may import, by file.
OFFERS = {
    "convert": ("Converter",),
    "project": ("beside", "refuse_taken", "texts", "write"),
    "proof": ("Proof",),
    "report": ("FILE", "report", "summary"),
}
