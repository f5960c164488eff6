"""From words to a node: the grammar of overrides, applied to nodes."""

# What other packages may import: the names of each file.
OFFERS = {
    "apply": "Tree",
    "choices": "keys options_at tolerant",
    "class_changes": "DEFAULTS KEEPS named_in patches_by",
    "compose": "assemble compose fitting root_name",
    "deriving": "derive_absent read_sources share_derived",
    "edit": "edit",
    "finish": "finish",
    "interpolation": "in_words literal",
    "overrides": "MOST Assignment WordError check expand of_hydra parse read",
    "patches": "KEY names_patches patches_of",
    "plain_words": "KEY quoted",
    "results": "comes_to first_of_each refuse_failed results_table",
    "verbs": "SIGNS Verb",
}
