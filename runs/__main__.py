"""python -m runs [FOLDER ...]      (and: diff A B, plot A B, report A B, export A)"""

from __future__ import annotations

import sys
from pathlib import Path

from cn import UserError, program
from cn.cli.exit_status import exit_status
from cn.cli.parser import Parser, TypedPath
from cn.cli.runs import compared, listed, reported, told
from cn.run_folder.folder import OUTPUTS
from cn.run_folder.folders import find
from cn.screen import answering, say
from cn.table import fold
from runs._benchmark_comparison import compare

VERBS = ("diff", "plot", "report", "export")
HELP = """\
python -m runs [FOLDER ...]

  python -m runs [FOLDER ...]    the runs below outputs/, or below other folders, the newest last
  diff A B [C ...]               what differs in their configurations, and what they came to
  plot A B [C ...]               their curves and tests in one picture, outputs/plot.png
  report A B [C ...]             their values, curves and settings as one HTML page, outputs/report.html
  export A                       its best weights alone in one file, A/weights.pt; --last: those it ended with
                                 -o FILE.safetensors: for other libraries; -o FILE.onnx: its network with them

A, B: run folders; the beginning of one's name in outputs/ is enough.
  --all     every row of the table
  --json    the same as JSON
  -o FILE   where plot puts its picture (.png, .pdf, .svg), report its page, and export its file
  -h, --help: this page

A run is running, finished, interrupted (to go on with it: python train.py --from FOLDER), failed, or lost:
it neither ended nor has a process any more."""


def main(words: list[str] | None = None) -> int:
    """Run a command and return the exit status: 2 for a user's mistake, 1 for a failure."""
    program.script = "-m runs"
    return exit_status(lambda: _main(sys.argv[1:] if words is None else words))


@answering()
def _main(words: list[str]) -> None:
    flags = Parser()
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
    if given.output is not None and verb not in ("plot", "report", "export"):
        what = "-o says where plot, report and export put their file"
        raise UserError(what, "write: python -m runs plot A B -o FILE")
    if given.output is not None and not given.output.name:
        raise UserError(f"-o {given.output} names no file", f"write: python -m runs {verb} A -o FILE")
    if given.last and verb != "export":
        raise UserError("--last says which weights are exported", "write: python -m runs export A --last")
    if verb == "export":
        return _export(rest, given.output, last=given.last, as_json=given.json)
    if verb == "plot":
        return _plot(rest, given.output or OUTPUTS / "plot.png", as_json=given.json)
    if verb == "report":
        return reported(rest, given.output, as_json=given.json)
    if verb == "diff":
        return compared(rest, compare, as_json=given.json)
    return listed(given.words, VERBS, every=given.all, as_json=given.json)


def _plot(words: list[str], path: Path, *, as_json: bool) -> None:
    if not words:
        raise UserError("plot of which runs?", "write: python -m runs plot A B", "see: python -m runs")
    from runs._picture import plot

    folders = find(words)
    path = plot(folders, path)
    told(str(path), {"picture": str(path), "folders": list(map(str, folders))}, as_json=as_json)


def _export(words: list[str], path: Path | None, *, last: bool, as_json: bool) -> None:
    if len(words) != 1:
        what = f"export writes the weights of one run, and {len(words) or 'none'} {'are' if words else 'is'} named"
        raise UserError(what, "write: python -m runs export A", "see: python -m runs")
    from runs._export import export
    from runs._export import told as text_of

    (folder,) = find(words)
    done = export(folder, path or folder / "weights.pt", last=last)
    told(text_of(done, last=last), {**done._asdict(), "path": str(done.path), "folder": str(folder)}, as_json=as_json)


if __name__ == "__main__":
    sys.exit(main())
