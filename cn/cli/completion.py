"""Tab completion: the shell scripts, and the program's answer at each press of the key."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable
from typing import Any

from cn.cli.help import complete
from cn.errors import UserError, hint
from cn.screen import say

PROGRAMS = r"@hydra\.main|^ *(from|import) +cn\b"  # the shell script calls only files with such a line
MARKS = {"bash": " ", "fish": "\n", "zsh": " "}  # separators of the choices
BASH = r"""
export _HYDRA_OLD_COMP=$(complete -p NAME 2> /dev/null)
hydra_bash_completion() {
    local words program choices
    words=($COMP_LINE)
    program="${words[0]}"
    case "$program" in
        python|python3|*/python|*/python3)
            grep -Eqs -- 'PROGRAMS' "${words[1]}" || return
            program="$program ${words[1]}"
            ;;
    esac
    command -v "${words[0]}" > /dev/null || return
    choices=$(COMP_LINE="$COMP_LINE" $program -sc query=bash)
    COMPREPLY=($(compgen -o nospace -o default -W "$choices" -- "${COMP_WORDS[$COMP_CWORD]}"))
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}
complete -o nospace -o default -F hydra_bash_completion NAME
"""
FISH = r"""
function hydra_fish_completion
    set -lx COMP_LINE (commandline -cp)
    set -l program (commandline -cpo)
    if string match -qr '(^|/)python[0-9.]*$' -- $program[1]
        grep -Eqs -- 'PROGRAMS' "$program[2]"; or return
        set program $program[1] $program[2]
    else
        set program $program[1]
    end
    eval (string escape -- $program) -sc query=fish
end
complete -c PYTHON -n '__fish_seen_subcommand_from SCRIPT' -x -a '(hydra_fish_completion)'
complete -c NAME -x -a '(hydra_fish_completion)'
"""


def completion(contract: Any, words: list[str]) -> None:
    """Run `-sc install=bash`, `-sc uninstall=bash`, or `-sc query=bash`, which the installed script calls."""
    actions: dict[str, dict[str, Callable[[], str]]] = {
        "install": {"bash": _bash, "fish": _fish, "zsh": _bash},
        "uninstall": {"bash": _without_bash, "fish": _without_fish, "zsh": _without_bash},
        "query": {shell: lambda mark=mark: mark.join(_choices(contract)) for shell, mark in MARKS.items()},
    }
    verb, _, shell = (words[0] if words else "").partition("=")
    if verb not in actions or shell not in MARKS:
        raise UserError(f"-sc takes install=SHELL, uninstall=SHELL or query=SHELL; {hint(shell, MARKS)}")
    say(actions[verb][shell]())


def _choices(contract: Any) -> list[str]:
    if "COMP_LINE" not in os.environ:
        what = "-sc query=... is asked by a shell, which gives the line that is typed as COMP_LINE"
        raise UserError(what, "see: --help")
    with contextlib.redirect_stdout(sys.stderr):  # hides the prints of node files
        return complete(contract, _typed(os.environ["COMP_LINE"]))


def _typed(line: str) -> list[str]:
    """Return the words after the program's name; the last one is being typed and may be empty."""
    words = line.split()
    script = re.fullmatch(r"python[0-9.]*", os.path.basename(words[0])) if words else None
    words = words[2 if script and not "".join(words[1:2]).startswith("-") else 1 :]
    return words if words and not line[-1].isspace() else [*words, ""]


def _bash() -> str:
    return BASH.strip().replace("NAME", _name()).replace("PROGRAMS", PROGRAMS)


def _without_bash() -> str:
    before = os.environ.get("_HYDRA_OLD_COMP") or f"complete -r {_name()}"
    return f"unset -f hydra_bash_completion\n{before}\nunset _HYDRA_OLD_COMP"


def _fish() -> str:
    names = {"PYTHON": os.path.basename(sys.executable), "SCRIPT": sys.argv[0], "NAME": os.path.basename(sys.argv[0])}
    text = FISH.strip().replace("PROGRAMS", PROGRAMS)
    for name, value in names.items():
        text = text.replace(name, value)
    return text


def _without_fish() -> str:
    return f"complete -e -c {os.path.basename(sys.argv[0])}\nfunctions -e hydra_fish_completion"


def _name() -> str:
    """Return the command to complete: Python, or an installed program's own name."""
    return "python" if sys.argv[0].endswith(".py") else os.path.basename(sys.argv[0])
