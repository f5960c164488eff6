"""From a node to JSON, Python, and words of a command line."""

# What other packages may import: the names of each file.
OFFERS = {
    "command_line": "command word words",
    "displayed": "displayed",
    "imports": "WIDTH import_lines",
    "python": "as_python",
    "record": "FILE RecordWarning by_beginning dump load runs_near unplain within",
    "record_class": "contract_of of_nodes recorded",
    "subclass": "changed quoted subclass",
}
