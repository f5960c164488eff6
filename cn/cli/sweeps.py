"""python -m cn sweeps [VERB NAME [NAME=VALUE ...]]      (plan, submit, status, results, best, report, ...)"""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable
from typing import Any

from cn import program
from cn.cli.exit_status import exit_status
from cn.cli.parser import Parser
from cn.errors import RunError, UserError, hint
from cn.paths import typed
from cn.screen import answering, as_json_text, pour, say
from cn.sweeping.planning.named import find
from cn.sweeping.project import contract, script, verbs
from cn.table import fold

HELP = """\
{command} [VERB NAME [NAME=VALUE ...]]

  {command:<29}  the sweeps that there are
  plan NAME                      what would be submitted, and what it costs at most
  submit NAME                    queue the trials that are new
  status NAME [-w]               how each trial stands; -w: until all are over
  logs NAME [TRIAL]              what a trial printed; without one, the last that failed
  cancel NAME                    end its jobs, and only those
  retry NAME [TRIAL ...]         queue what failed, was lost, cancelled or stopped
  results NAME                   the goal of each setting over its seeds, best first; a picture and a csv
  best NAME                      the command that repeats the best trial
  report NAME                    all of it as one HTML page, report.html in the sweep's folder
  export NAME --optuna FILE      a study of Optuna, for optuna-dashboard: FILE.db is SQLite, FILE.log a journal

NAME is a class of sweeps/, with overrides of it (launch.parallel=4), or the folder of a sweep.
  --pruned  of retry: go on with pruned trials too
  --why     of plan: from which other trial each goes on, or why it begins at step 0
  --all     every row of a table
  --json    the same as JSON
  --raw     of logs: the bytes as they are, with what they would tell a terminal
  -h, --help: this page, and with a NAME, the fields of that sweep"""

VERBS = ("plan", "submit", "status", "logs", "cancel", "retry", "results", "best", "report", "export")


def main(words: list[str] | None = None) -> int:
    """Run a verb and return the exit status: 2 for a user's mistake, 1 for a failure."""
    return exit_status(lambda: sweeps(sys.argv[1:] if words is None else words))


@answering()
def sweeps(words: list[str]) -> int:
    """Run a verb of the sweeps of any project, from its root."""
    program.script = script()
    flags = Parser()
    flags.add_argument("verb", nargs="?")
    flags.add_argument("words", nargs="*")
    flags.add_argument("--json", action="store_true")
    flags.add_argument("--all", action="store_true")
    flags.add_argument("--pruned", action="store_true")
    flags.add_argument("--why", action="store_true")
    flags.add_argument("--raw", action="store_true")
    flags.add_argument("--optuna", metavar="FILE")
    flags.add_argument("-m", "--multirun", action="store_true")
    flags.add_argument("-w", "--watch", action="store_true")
    flags.add_argument("-h", "--help", action="store_true")
    given, unknown = flags.parse_known_intermixed_args(words)
    if unknown:
        raise UserError(_no_option(given.words, words, unknown[0], flags.options()))
    if given.help:
        say(_page(given.words) if given.words else fold(HELP.format(command=verbs())))
        return 0
    if given.multirun:
        raise UserError("-m is train.py's: what a sweep varies are the axes of its class")
    if given.watch and given.verb != "status":
        raise UserError("-w watches a status", f"write: {verbs()} status NAME -w")
    if given.raw and (given.verb != "logs" or given.json):
        raise UserError("--raw gives the bytes of a log", f"write: {verbs()} logs NAME TRIAL --raw")
    if given.pruned and given.verb != "retry":
        raise UserError("--pruned goes on with pruned trials", f"write: {verbs()} retry NAME --pruned")
    if given.why and given.verb != "plan":
        raise UserError("--why explains a plan", f"write: {verbs()} plan NAME --why")
    if (given.optuna is None) == (given.verb == "export"):
        what = "--optuna names the file of an export" if given.optuna is not None else "export needs the file to write"
        raise UserError(what, f"write: {verbs()} export NAME --optuna NAME.db")
    if given.verb is None:
        from cn.sweeping.showing import queries

        return _told(queries.every(), as_json=given.json)
    if given.verb not in VERBS:
        raise UserError(f"there is no verb {given.verb!r}", hint(given.verb, VERBS), f"see: {verbs()} -h")
    if not given.words or _is_override(given.words[0]):
        raise UserError(f"{given.verb} of which sweep?", f"see: {verbs()}")
    name, *rest = given.words
    overrides = [word for word in rest if _is_override(word)]
    others = [word for word in rest if not _is_override(word)]
    if others and given.verb not in ("logs", "retry"):
        instead = f"{verbs()} {shlex.join([given.verb, name])}"
        raise UserError(f"{others[0]!r} cannot be read as NAME=VALUE", f"write: {instead}")
    if given.raw:
        from cn.sweeping.showing import queries

        pour(queries.raw_log(find(name, overrides), others))
        return 0
    if given.verb == "export":
        from cn.sweeping.showing.export import export

        return _told(export(find(name, overrides), typed(given.optuna)), as_json=given.json)
    verb = _function("watch" if given.watch else given.verb)
    options = {flag: True for flag in ("pruned", "why") if getattr(given, flag)}
    return _told(verb(find(name, overrides), others, every=given.all, **options), as_json=given.json)


def _function(verb: str) -> Callable[..., tuple[str, Any]]:
    """Return the function of a verb; only its file is imported."""
    if verb in ("submit", "cancel", "retry"):
        from cn.sweeping import actions

        return {"submit": actions.submit, "cancel": actions.cancel, "retry": actions.retry}[verb]
    if verb == "report":
        from cn.sweeping.showing import report

        return report.report
    from cn.sweeping.showing import queries

    return {
        "plan": queries.plan,
        "status": queries.status,
        "watch": queries.watch,
        "logs": queries.logs,
        "results": queries.results,
        "best": queries.best,
    }[verb]


def _no_option(named: list[str], words: list[str], option: str, known: list[str]) -> str:
    """Return the message for an unknown option, which may be a field of the named sweep or of its runs."""
    from cn.cli.unknown_option import unknown
    from cn.discovery import discover

    kind = None
    with contextlib.suppress(UserError):
        kind = discover.find((contract(),), named[0]) if named else None
    return unknown(kind, None, words, option, known)


def _page(words: list[str]) -> str:
    """Return the page with a sweep's fields; `train.py --help` has those of its trials."""
    from cn.cli.help import help_text

    name, *overrides = words
    program.script = f"{script()} plan {name}"
    return help_text(contract(), None, [f"sweep={name}", *overrides], flags="")


def _is_override(word: str) -> bool:
    return "=" in word or word.startswith(("~", "+"))


def _told(said: tuple[str, Any], *, as_json: bool) -> int:
    say(as_json_text(said[1]) if as_json else said[0])
    if (why := said[1].get("unwritten")) is not None:
        raise RunError(why)  # after the answer, which needs no file
    return 0
