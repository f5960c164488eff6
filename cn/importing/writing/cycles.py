"""Imports that would lead back to the module that asks for them, which names the other module instead: `runs.Model`."""

from __future__ import annotations

Graph = dict[str, set[str]]  # the modules that each module imports names from


def late(graph: Graph) -> Graph:
    """Return the imports to write as `import runs`, without names: those of a package above first, then the fewest."""
    found: Graph = {module: set() for module in graph}
    for above in (True, False):
        for module, targets in graph.items():
            for target in sorted(targets - found[module]):
                is_above = module.startswith(f"{target}.")
                if is_above >= above and _leads(graph, found, target, module):
                    found[module].add(target)
    return found


def _leads(graph: Graph, without: Graph, start: str, end: str) -> bool:
    """Return whether a module imports another, also by way of others."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        module = todo.pop()
        if module == end:
            return True
        if module not in seen:
            seen.add(module)
            todo += graph.get(module, set()) - without.get(module, set())
    return False
