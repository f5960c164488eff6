"""Import a tree of Hydra YAML files as node classes, and prove what is equal.

Begin with `convert.py`, which calls the rooms in this order; each imports only from those before it.

reading: the YAML files, and what a schema in Python adds: a `File` each, with its lines and comments.
defaults_lists: follow them as Hydra does: a `Content` each, of values, branches, and slots where an option is chosen.
families: what stands in the same place is one `Family`, with the names and the types of its fields.
classes: a `Class` for each option, primary config and mapping within, and the changes of each patch.
writing: the text of each module.
sweeps: the settings of Hydra's sweepers and launchers, as sweeps and launchers.
proof: words of Hydra as words of the new project, override sets composed with both, and the report.
old_run: a run that Hydra left, as a run of the classes.

`conversion.py` is what all of this makes of a tree, and `project.py` writes it into a folder.
"""

# What other packages may import: the names of each file.
OFFERS = {
    "convert": "Converter",
    "old_run.loaded": "of_hydra",
    "old_run.written": "config_of",
    "project": "beside refuse_taken texts write",
    "proof.proof": "Proof",
    "proof.report": "FILE report summary",
}
