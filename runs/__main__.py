"""python -m runs [FOLDER ...]      (and: diff A B, plot A B, export A)"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from cn import UserError, command
from cn.errors import hint, lines, nearest, short
from cn.main import Parser, TypedPath, exit_status
from cn.paths import typed
from cn.screen import answering, say
from cn.table import fold
from runs import _listing
from runs._differences import diff
from runs._folder import OUTPUTS
from runs._folders import below, find

VERBS = ("diff", "plot", "export")
HELP = """\
python -m runs [FOLDER ...]

  python -m runs [FOLDER ...]    the runs below outputs/, or below other folders, the newest last
  diff A B [C ...]               what differs in their configurations, and what they came to
  plot A B [C ...]               their curves in one picture, outputs/plot.png
  export A                       its best weights alone in one file, A/weights.pt; --last: those it ended with
                                 -o FILE.safetensors: for other libraries; -o FILE.onnx: its network with them

A, B: run folders; the beginning of one's name in outputs/ is enough.
  --all     every row of the table
  --json    the same as JSON
  -o FILE   where plot puts its picture (.png, .pdf, .svg), and export its file
  -h, --help: this page

A run is running, finished, interrupted (to go on with it: python train.py --from FOLDER), failed, or lost:
it neither ended nor has a process any more."""


def main(words: list[str] | None = None) -> int:
    """The exit status: 2 for a mistake of the user's, 1 for what failed."""
    command.script = "-m runs"
    return exit_status(lambda: _main(sys.argv[1:] if words is None else words))


@answering()
def _main(words: list[str]) -> None:
    flags = Parser(add_help=False, allow_abbrev=False)
    flags.add_argument("words", nargs="*")
    flags.add_argument("--all", action="store_true")
    flags.add_argument("--json", action="store_true")
    flags.add_argument("--last", action="store_true")
    flags.add_argument("-o", "--output", action=TypedPath)
    flags.add_argument("-h", "--help", action="store_true")
    given = flags.parse_intermixed_args(words)
    verb, *rest = given.words or [""]
    if given.help:
        return say(fold(HELP))
    if given.output is not None and verb not in ("plot", "export"):
        raise UserError(lines("-o says where plot and export put their file", "write: python -m runs plot A B -o FILE"))
    if given.output is not None and not given.output.name:
        raise UserError(lines(f"-o {given.output} names no file", f"write: python -m runs {verb} A -o FILE"))
    if given.last and verb != "export":
        raise UserError(lines("--last says which weights are exported", "write: python -m runs export A --last"))
    if verb == "export":
        return _export(rest, given.output, last=given.last, as_json=given.json)
    if verb == "plot":
        return _plot(rest, given.output or OUTPUTS / "plot.png", as_json=given.json)
    if verb == "diff":
        if len(rest) < 2:
            what = f"diff compares two runs or more, and {'one is' if rest else 'none is'} named"
            raise UserError(
                lines(what, f"write: python -m runs diff {shlex.join(rest) or 'A'} B", "see: python -m runs")
            )
        return _told(*diff(find(rest)), as_json=given.json)
    return _list(given.words, every=given.all, as_json=given.json)


def _list(words: list[str], *, every: bool, as_json: bool) -> None:
    for word in words:
        if not typed(word).is_dir():
            raise UserError(_no_folder(words, word))
    roots = [typed(word) for word in words] or ([OUTPUTS] if OUTPUTS.is_dir() else [])
    found = below(*roots)
    if as_json:
        return say(json.dumps([_listing.describe(each) for each in found], indent=1))
    if not found:
        where = short(", ".join(words)) or OUTPUTS
        return say(f"there is no run below {where} yet\n  to train one: python train.py")
    return say(_listing.show(found, every=every))


def _no_folder(words: list[str], word: str) -> str:
    """What to tell of a word that is neither a verb nor a folder."""
    see = "see: python -m runs -h"
    beside = [str(each) for each in typed(word).parent.glob("[!.]*") if each.is_dir()]
    if "/" in word or word is not words[0]:
        return lines(f"there is no folder {short(word)!r}", hint(word, beside), see)
    verbs = nearest(word, VERBS)
    instead = f"write: python -m runs {shlex.join([verbs[0], *words[1:]])}" if verbs else hint(word, [*VERBS, *beside])
    return lines(f"{short(word)!r} is no verb, and no folder", instead, see)


def _plot(words: list[str], path: Path, *, as_json: bool) -> None:
    if not words:
        raise UserError(lines("plot of which runs?", "write: python -m runs plot A B", "see: python -m runs"))
    from runs._picture import plot

    folders = find(words)
    path = plot(folders, path)
    _told(str(path), {"picture": str(path), "folders": list(map(str, folders))}, as_json=as_json)


def _export(words: list[str], path: Path | None, *, last: bool, as_json: bool) -> None:
    if len(words) != 1:
        what = f"export writes the weights of one run, and {len(words) or 'none'} {'are' if words else 'is'} named"
        raise UserError(lines(what, "write: python -m runs export A", "see: python -m runs"))
    from runs._export import export, told

    (folder,) = find(words)
    done = export(folder, path or folder / "weights.pt", last=last)
    _told(told(done, last=last), {**done._asdict(), "path": str(done.path), "folder": str(folder)}, as_json=as_json)


def _told(text: str, data: Any, *, as_json: bool) -> None:
    say(json.dumps(data, indent=1) if as_json else text)


if __name__ == "__main__":
    sys.exit(main())
