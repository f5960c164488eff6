"""The command line: parse the request, print the answer."""

# What other packages may import, by file.
OFFERS = {
    "main": ("Parser", "TypedPath", "exit_status", "main"),
    "new": ("new",),
    "runs": ("compared", "listed", "runs", "told"),
    "sweeps": ("main", "sweeps"),
}
