"""python -m sweeps [VERB NAME [NAME=VALUE ...]]      (plan, submit, status, logs, cancel, retry, results, best)"""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
from typing import Any

from cn import UserError, command
from cn.errors import hint, lines
from cn.main import Parser, exit_status
from cn.screen import answering, pour, say
from cn.table import fold
from sweeps import _actions, _queries
from sweeps._named import find

HELP = """\
python -m sweeps [VERB NAME [NAME=VALUE ...]]

  python -m sweeps               the sweeps that there are
  plan NAME                      what would be submitted, and what it costs at most
  submit NAME                    queue the trials that are new
  status NAME [-w]               how each trial stands; -w: until all are over
  logs NAME [TRIAL]              what a trial printed; without one, the last that failed
  cancel NAME                    end its jobs, and only those
  retry NAME [TRIAL ...]         queue what failed, was lost, cancelled or stopped
  results NAME                   the goal of each setting over its seeds, best first; a picture and a csv
  best NAME                      the command that repeats the best trial

NAME is a class of sweeps/, with overrides of it (launch.parallel=4), or the folder of a sweep.
  --all     every row of a table
  --json    the same as JSON
  --raw     of logs: the bytes as they are, with what they would tell a terminal
  -h, --help: this page, and with a NAME, the fields of that sweep"""

VERBS = {
    "plan": _queries.plan,
    "submit": _actions.submit,
    "status": _queries.status,
    "logs": _queries.logs,
    "cancel": _actions.cancel,
    "retry": _actions.retry,
    "results": _queries.results,
    "best": _queries.best,
}


def main(words: list[str] | None = None) -> int:
    """The exit status: 2 for a mistake of the user's, 1 for what failed."""
    command.script = "-m sweeps"
    return exit_status(lambda: _main(sys.argv[1:] if words is None else words))


@answering()
def _main(words: list[str]) -> int:
    flags = Parser(add_help=False, allow_abbrev=False)
    flags.add_argument("verb", nargs="?")
    flags.add_argument("words", nargs="*")
    flags.add_argument("--json", action="store_true")
    flags.add_argument("--all", action="store_true")
    flags.add_argument("--raw", action="store_true")
    flags.add_argument("-m", "--multirun", action="store_true")
    flags.add_argument("-w", "--watch", action="store_true")
    flags.add_argument("-h", "--help", action="store_true")
    given, unknown = flags.parse_known_intermixed_args(words)
    if unknown:
        raise UserError(_no_option(given.words, words, unknown[0], flags.options()))
    if given.help:
        say(_page(given.words) if given.words else fold(HELP))
        return 0
    if given.multirun:
        raise UserError("-m is train.py's: what a sweep varies are the axes of its class")
    if given.watch and given.verb != "status":
        raise UserError(lines("-w watches a status", "write: python -m sweeps status NAME -w"))
    if given.raw and (given.verb != "logs" or given.json):
        raise UserError(lines("--raw gives the bytes of a log", "write: python -m sweeps logs NAME TRIAL --raw"))
    if given.verb is None:
        return _told(_queries.every(), as_json=given.json)
    if given.verb not in VERBS:
        raise UserError(lines(f"there is no verb {given.verb!r}", hint(given.verb, VERBS), "see: python -m sweeps -h"))
    if not given.words or _is_override(given.words[0]):
        raise UserError(lines(f"{given.verb} of which sweep?", "see: python -m sweeps"))
    name, *rest = given.words
    overrides = [word for word in rest if _is_override(word)]
    others = [word for word in rest if not _is_override(word)]
    if others and given.verb not in ("logs", "retry"):
        instead = shlex.join(["python", "-m", "sweeps", given.verb, name])
        raise UserError(lines(f"{others[0]!r} cannot be read as NAME=VALUE", f"write: {instead}"))
    if given.raw:
        pour(_queries.raw_log(find(name, overrides), others))
        return 0
    verb = _queries.watch if given.watch else VERBS[given.verb]
    return _told(verb(find(name, overrides), others, every=given.all), as_json=given.json)


def _no_option(named: list[str], words: list[str], option: str, known: list[str]) -> str:
    """The message for an option that no verb has: perhaps a field of the sweep that is named, or of its runs."""
    from cn import discover
    from cn.flags import unknown
    from sweeps import Sweep

    kind = None
    with contextlib.suppress(UserError):
        kind = discover.find((Sweep,), named[0]) if named else None
    return unknown(kind, None, words, option, known)


def _page(words: list[str]) -> str:
    """What a sweep's fields are; the values of its trials are those of `train.py --help`."""
    from cn.help import help_text
    from sweeps import Sweep

    name, *overrides = words
    command.script = f"-m sweeps plan {name}"
    return help_text(Sweep, None, [f"sweep={name}", *overrides], flags="")


def _is_override(word: str) -> bool:
    return "=" in word or word.startswith(("~", "+"))


def _told(said: tuple[str, Any], *, as_json: bool) -> int:
    say(json.dumps(said[1], indent=1) if as_json else said[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
