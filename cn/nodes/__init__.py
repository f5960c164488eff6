"""From a class to a node: `CN`, its fields and their types."""

# What other packages may import, by file.
OFFERS = {
    "containers": ("Items", "Row", "Table"),
    "derived": ("Derived", "derive", "deriving"),
    "field_types": ("Anything", "Child", "Either", "Kind", "Member", "Mismatch", "OneOf", "SCALARS", "Scalar", "same"),
    "moved": ("added", "moved", "unmoved"),
    "node": ("CN", "CNMeta"),
    "ranges": ("Ranged", "bare"),
    "read_tracking": ("Reading", "Unread"),
    "resolving": ("resolve",),
    "target": ("instantiate", "locate", "target_of"),
    "texts": ("Texts", "texts_of"),
    "to_json": ("CLASS", "DERIVED", "plain"),
    "traversal": ("alike", "differences", "freeze", "is_field", "thaw", "values", "walk"),
}
