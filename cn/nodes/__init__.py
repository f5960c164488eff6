"""From a class to a node: `CN`, its fields and their types."""

# What other packages may import: the names of each file.
OFFERS = {
    "bundle": "Bundle holder_of",
    "class_body": "RESERVED TARGET",
    "containers": "Items Row Table",
    "derived": "Derived Deriving Nested derive derives deriving",
    "former": "before current former_classes oldest past",
    "field_types": "Anything Bundled Child Either Kind MEMBER Member Mismatch OneOf SCALARS Scalar VALUE same untagged",
    "node": "CN CNMeta put",
    "notes": "Key Neutral Was",
    "patch": "Change Patch",
    "ranges": "Ranged bare",
    "read_tracking": "Reading Unread",
    "resolving": "by_key kinds_of old_names resolve",
    "target": "EXTRA instantiate locate target_of",
    "texts": "Texts texts_of",
    "to_json": "CLASS DERIVED plain renamed",
    "traversal": "NodeType address_of alike children default_of differences freeze is_field settled thaw values walk",
}
