"""From a class to a node: `CN`, its fields and their types."""

# What other packages may import, by file.
OFFERS = {
    "class_body": ("RESERVED", "TARGET"),
    "containers": ("Items", "Row", "Table"),
    "derived": ("Derived", "Deriving", "Nested", "derive", "derives", "deriving"),
    "former": ("before", "current", "former_classes", "neutral", "oldest"),
    "field_types": (
        "Anything",
        "Child",
        "Either",
        "Kind",
        "MEMBER",
        "Member",
        "Mismatch",
        "OneOf",
        "SCALARS",
        "Scalar",
        "VALUE",
        "same",
    ),
    "node": ("CN", "CNMeta", "NONE", "put"),
    "notes": ("Key", "Neutral", "Was"),
    "patch": ("Change", "Patch"),
    "ranges": ("Ranged", "bare"),
    "read_tracking": ("Reading", "Unread"),
    "resolving": ("by_key", "old_names", "resolve"),
    "target": ("EXTRA", "instantiate", "locate", "target_of"),
    "texts": ("Texts", "texts_of"),
    "to_json": ("CLASS", "DERIVED", "plain", "renamed"),
    "traversal": ("address_of", "alike", "differences", "freeze", "is_field", "thaw", "values", "walk"),
}
