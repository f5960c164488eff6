"""Import a tree of Hydra YAML files as node classes, and prove what is equal."""

# What other packages may import: the names of each file.
OFFERS = {
    "convert": "Converter",
    "old_run.loaded": "of_hydra",
    "old_run.written": "config_of",
    "project": "beside refuse_taken texts write",
    "proof.proof": "Proof",
    "proof.report": "FILE report summary",
}
