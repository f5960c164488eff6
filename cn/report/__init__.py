"""A report of a sweep or of some runs: one HTML page that needs no server and no network."""

# What other packages may import: the names of each file.
OFFERS = {
    "content": "Content Entry content curve",
    "importance": "as_choice distribution",
    "of_runs": "report",
    "page": "write",
}
