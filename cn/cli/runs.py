"""`python -m cn runs`: list runs, and compare some of them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cn import program
from cn.cli.parser import Parser, TypedPath
from cn.errors import UserError, hint, lines, nearest, short
from cn.paths import typed, without_ending
from cn.run_folder import listing
from cn.run_folder.differences import Compare, diff
from cn.run_folder.folder import OUTPUTS
from cn.run_folder.folders import below, find, to_train
from cn.screen import answering, as_json_text, say
from cn.table import fold
from cn.writing.record import by_beginning

PAGES = (".html", ".htm")
HELP = """\
python -m cn runs [FOLDER ...]

  python -m cn runs [FOLDER ...]    the runs below outputs/, or below other folders, the newest last
  python -m cn runs diff A B ...    what differs in their configurations, and what they came to
  python -m cn runs report A B ...  their values, curves and settings as one HTML page, outputs/report.html

A, B: run folders; the beginning of one's name in outputs/ is enough.
  --all     every row of the table
  --json    the same as JSON
  -o FILE   where report puts its page
  -h, --help: this page

A run is running, finished, interrupted, failed, or lost: it neither ended nor has a process any more."""


@answering()
def runs(words: list[str]) -> None:
    """List or compare the runs of any project, from its root."""
    program.script = "-m cn runs"
    flags = Parser()
    flags.add_argument("words", nargs="*")
    flags.add_argument("--all", action="store_true")
    flags.add_argument("--json", action="store_true")
    flags.add_argument("-o", "--output", action=TypedPath)
    flags.add_argument("-h", "--help", action="store_true")
    given = flags.parse_intermixed_args(words)
    verb, *rest = given.words or [""]
    if given.help:
        return say(fold(HELP))
    if given.output is not None and not given.output.name:
        raise UserError(f"-o {given.output} names no file", f"write: python {program.script} report A -o FILE")
    if given.output is not None and verb != "report":
        raise UserError("-o says where report puts its page", f"write: python {program.script} report A B -o FILE")
    if verb == "diff":
        return compared(rest, as_json=given.json)
    if verb == "report":
        return reported(rest, given.output, as_json=given.json)
    return listed(given.words, ("diff", "report"), every=given.all, as_json=given.json)


def compared(words: list[str], compare: Compare | None = None, *, as_json: bool) -> None:
    """Print the differences of runs; `compare` adds a comparison of their results."""
    if len(words) < 2:
        what = f"diff compares two runs or more, and {'one is' if words else 'none is'} named"
        write = f"write: python {program.script} diff {shlex.join(words) or 'A'} B"
        raise UserError(what, write, f"see: python {program.script}")
    told(*diff(find(words), compare), as_json=as_json)


def reported(words: list[str], output: Path | None, *, as_json: bool) -> None:
    """Write a page about runs: those that are named, or that lie below a named folder; by default all of outputs/."""
    from cn.report.of_runs import report

    if output is not None and output.suffix not in PAGES:
        raise without_ending(output, "a page is not", ".html")
    roots = [typed(word) for word in words if typed(word).is_dir()]
    found = [each.folder for each in below(*(roots if words else [OUTPUTS] if OUTPUTS.is_dir() else []))]
    found += [each for each in find([word for word in words if not typed(word).is_dir()]) if each not in found]
    if not found:
        raise UserError(f"there is no run below {short(', '.join(words)) or OUTPUTS} yet", to_train())
    told(*report(found, output or OUTPUTS / "report.html"), as_json=as_json)


def listed(words: list[str], verbs: Sequence[str], *, every: bool, as_json: bool) -> None:
    """Print the table of the runs below folders; `verbs` are named in the error about an unknown first word."""
    roots = [by_beginning(typed(word)) for word in words]
    for word, root in zip(words, roots, strict=True):
        if not root.is_dir():
            raise UserError(_no_folder(words, word, verbs))
    roots = roots or ([OUTPUTS] if OUTPUTS.is_dir() else [])
    found = below(*roots)
    if as_json:
        return say(as_json_text([listing.describe(each) for each in found]))
    if not found:
        where = short(", ".join(words)) or OUTPUTS
        return say(lines(f"there is no run below {where} yet", to_train()))
    return say(listing.show(found, every=every))


def _no_folder(words: list[str], word: str, known: Sequence[str]) -> str:
    """Return the message for a word that is neither a verb nor a folder."""
    see = f"see: python {program.script} -h"
    beside = [str(each) for each in typed(word).parent.glob("[!.]*") if each.is_dir()]
    if "/" in word or word is not words[0]:
        return lines(f"there is no folder {short(word)!r}", hint(word, beside), see)
    verbs = nearest(word, known)
    right = shlex.join([*verbs[:1], *words[1:]])
    instead = f"write: python {program.script} {right}" if verbs else hint(word, [*known, *beside])
    return lines(f"{short(word)!r} is neither a verb nor a folder", instead, see)


def told(text: str, data: Any, *, as_json: bool) -> None:
    """Print a text, or the data as JSON."""
    say(as_json_text(data) if as_json else text)
