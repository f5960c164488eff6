"""A folder of nodes that hides a module which is needed, such as `queue/`, `types/` or `random/`, is told at once.

This is looked at when `cn` is imported, before all that may import such a module, so it imports nothing else itself.
"""

import os
import sys

HYDRA = {"antlr4", "hydra", "omegaconf", "packaging", "yaml"}  # what Hydra is made of


def refuse_hiding() -> None:
    """End the process, with one line, where one lies in a folder that Python looks into before its own."""
    library = os.path.dirname(os.__file__)
    first = sys.path.index(library) if library in sys.path else 1
    for root in sys.path[:first]:
        try:
            names = sorted(HYDRA.union(sys.stdlib_module_names).intersection(os.listdir(root or ".")))
        except OSError:  # a path to nothing, or to an archive
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
    """Whether its `__init__.py` imports `cn`, or a file in it has a class of `CN` itself."""
    if not os.path.isdir(folder):
        return False
    for name in sorted(os.listdir(folder)):
        if name.endswith(".py"):
            with open(os.path.join(folder, name), "rb") as file:
                lines = file.read().splitlines()
            start = (b"from cn import", b"from cn.", b"import cn")
            if name == "__init__.py" and any(line.startswith(start) for line in lines):
                return True
            if any(line.startswith(b"class ") and b"(CN)" in line for line in lines):
                return True
    return False


refuse_hiding()
