"""Tab completion: Hydra's scripts for the shells, with our own, faster answers."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from cn.errors import UserError, hint
from cn.help import complete
from cn.screen import quoting


def completion(contract: Any, words: list[str]) -> None:
    """`-sc install=bash`, `-sc uninstall=bash`, and `-sc query=bash`, which the installed script calls."""
    from hydra._internal.core_plugins.bash_completion import BashCompletion
    from hydra._internal.core_plugins.fish_completion import FishCompletion
    from hydra._internal.core_plugins.zsh_completion import ZshCompletion

    shells: dict[str, Any] = {"bash": BashCompletion, "fish": FishCompletion, "zsh": ZshCompletion}
    verb, _, shell = (words[0] if words else "").partition("=")
    if verb not in ("install", "uninstall", "query") or shell not in shells:
        raise UserError(f"-sc takes install=SHELL, uninstall=SHELL or query=SHELL; {hint(shell, shells)}")

    class Plugin(shells[shell]):  # type: ignore[misc]
        def _query(self, config_name: str | None, line: str) -> list[str]:
            words = line.split()
            with contextlib.redirect_stdout(sys.stderr):  # for what node files print
                return complete(contract, words if words and not line.endswith(" ") else [*words, ""])

    with quoting():
        getattr(Plugin(None), verb)(*([None] if verb == "query" else []))
