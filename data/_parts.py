"""The parts of data in files, and the possible names of each part's file or folder, the first name preferred."""

PARTS: dict[str, tuple[str, ...]] = {
    "train": ("train",),
    "validation": ("validation", "valid", "val"),
    "test": ("test",),
}
