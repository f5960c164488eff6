"""The command line: parse the request, print the answer."""

# What other packages may import: the names of each file.
OFFERS = {
    "check": "check",
    "exit_status": "exit_status",
    "importing": "import_",
    "main": "main",
    "new": "new",
    "parser": "Parser TypedPath",
    "runs": "compared listed reported runs told",
    "sweeps": "main sweeps",
}
