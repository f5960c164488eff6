"""Refuse a folder of nodes that hides a needed module, such as `queue/`, `types/` or `random/`.

The check runs when `cn` is imported, before any import of such a module, so this file imports only `os` and `sys`.
"""

import os
import sys

HYDRA = {"antlr4", "hydra", "omegaconf", "packaging", "yaml"}  # Hydra and its dependencies


def refuse_hiding() -> None:
    """End the process, with one line, if a node folder hides a module of Python or Hydra on `sys.path`."""
    library = os.path.dirname(os.__file__)
    first = sys.path.index(library) if library in sys.path else 1
    for root in sys.path[:first]:
        try:
            names = sorted(HYDRA.union(sys.stdlib_module_names).intersection(os.listdir(root or ".")))
        except OSError:  # the path does not exist, or is an archive
            continue
        for name in names:
            if _holds_nodes(os.path.join(root, name)):
                whose = "Hydra" if name in HYDRA else "Python"
                told = (
                    f"{os.path.relpath(os.path.join(root, name))}/ holds nodes, and {name} is a module of {whose}'s own"
                )
                sys.stderr.write(f"{told!a}"[1:-1] + ": rename the folder\n")
                raise SystemExit(2)


def _holds_nodes(folder: str) -> bool:
    """Return whether the folder's `__init__.py` imports `cn`, or one of its files defines a direct subclass of `CN`."""
    if not os.path.isdir(folder):
        return False
    for name in sorted(os.listdir(folder)):
        if name.endswith(".py"):
            try:
                with open(os.path.join(folder, name), "rb") as file:
                    lines = file.read().splitlines()
            except OSError:  # such as a link to nothing, by which an editor locks a file
                continue
            start = (b"from cn import", b"from cn.", b"import cn")
            if name == "__init__.py" and any(line.startswith(start) for line in lines):
                return True
            if any(line.startswith(b"class ") and b"(CN)" in line for line in lines):
                return True
    return False


refuse_hiding()
