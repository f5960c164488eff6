"""The function of `resolvers.py` that is called in place of a resolver: `${if:...}` is `if_(...)`."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection

from cn.importing.families.names import BUILTINS
from cn.importing.writing.resolvers import KNOWN

TAKEN = {
    *("run", "node", "runs", "os", "derive", "CN", "Bundle", "Key", "Patch", "Launch", "Local"),  # in modules
    *("Any", "Annotated", "ClassVar", "Literal"),
    *("ast", "dataclasses", "datetime", "MISSING", "_path"),  # in resolvers.py
    *(name for name in KNOWN if name not in ("now", "hydra")),  # these two are resolvers of Hydra itself
}


def function_name(resolver: str, classes: Collection[str] = ()) -> str:
    """Return the name of the function; it hides nothing that a module uses. classes: names of the project's classes."""
    name = re.sub(r"\W", "_", resolver)
    while keyword.iskeyword(name) or name in BUILTINS or name in TAKEN or name in classes:
        name += "_"
    return name
