"""`python -m cn import conf/ --primary train --into NEW`: node classes in place of a tree of Hydra YAML files."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from cn import program
from cn.cli.parser import Parser
from cn.errors import RunError, UserError, hint
from cn.importing import project
from cn.importing.convert import Converter
from cn.importing.proof.proof import Proof
from cn.importing.proof.report import FILE, report, summary
from cn.paths import typed
from cn.program import quoted
from cn.screen import answering, say

HELP = """\
python -m cn import FOLDER --primary NAME --into NEW

Write node classes for a folder of Hydra YAML files in the new folder NEW, compose many override sets with both, and
report what is equal and what is not (NEW/IMPORT.md).

  FOLDER               the folder that config_path of hydra.main names
  --primary NAME       a primary config, as config_name of hydra.main; may be given several times, the first is the
                       run of a command without run=; all files at the top of FOLDER if none is named
  --into NEW           a folder that is not there, or is empty
  --schema MODULE      a module that stores dataclasses in Hydra's ConfigStore, importable from here; may be repeated
  --exact              annotate with Any what only a guess would type: texts, lists, what is interpolated
  --sets N             override sets to compose for each primary config (40); 0 composes none
  --seed N             seed of these sets (0)
  --version-base V     version_base of hydra.main, if it is not None; 1.1 for a tree that only Hydra 1.1 can read"""


@answering()
def import_(words: list[str]) -> None:
    """Import a tree. UserError for a folder that is taken, and for a tree that cannot be read or composed by Hydra."""
    program.script = "-m cn import"
    flags = Parser()
    flags.add_argument("folders", nargs="*")
    flags.add_argument("--primary", action="append", default=[])
    flags.add_argument("--into")
    flags.add_argument("--schema", action="append", default=[])
    flags.add_argument("--exact", action="store_true")
    flags.add_argument("--sets", type=int, default=40)
    flags.add_argument("--seed", type=int, default=0)
    flags.add_argument("--version-base")
    flags.add_argument("-h", "--help", action="store_true")
    given = flags.parse_intermixed_args(words)
    if given.help:
        return say(HELP)
    if len(given.folders) != 1 or not given.into:
        what = "import reads one folder, and writes another"
        raise UserError(what, "write: python -m cn import FOLDER --primary NAME --into NEW")
    root, new = typed(given.folders[0]), typed(given.into)
    if root.is_file() and root.suffix in (".yaml", ".yml"):
        what = f"write: python -m cn import {quoted(str(root.parent))} --primary {quoted(root.stem)} --into NEW"
        raise UserError(f"{root} is a file, and import reads a folder", what)
    if given.sets < 0:
        raise UserError(f"--sets {given.sets}: a number of override sets is 0 or more")
    if not root.is_dir():
        above = root.parent
        folders = [each.name for each in above.iterdir() if each.is_dir()] if above.is_dir() else []
        what = f"{root} is a file, and import reads a folder" if root.is_file() else f"{root} is no folder"
        raise UserError(what, hint(root.name, folders) if above.is_dir() else None)
    project.refuse_taken(new)
    primaries = [name.removesuffix(".yaml").removesuffix(".yml") for name in given.primary]
    converter = Converter(root, primaries, exact=given.exact, schema=given.schema)
    count = len(converter.files)
    progress(f"reading {count} files")
    conversion = converter.convert()
    proof = Proof(conversion, version_base=given.version_base)
    if given.sets == 0:
        proof.refuse()
    unfinished = project.beside(new)
    try:
        found = project.texts(conversion, new.absolute().name)
        project.write(found, unfinished)
        results = proof.run(unfinished, given.sets, given.seed, progress) if given.sets > 0 else []
        command = f"python -m cn import {shlex.join(words)}"
        project.write({FILE: report(conversion, results, command)}, unfinished)
        if new.is_dir():
            new.rmdir()
        unfinished.replace(new)
    except OSError as error:
        raise RunError(f"{new} cannot be written: {error}", "write: a folder elsewhere") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    told = summary(results) if results else []
    say("\n".join([f"{new}: {len(found)} files from {count}", *(f"  {line}" for line in told)]))
    say(f"  report: {Path(new) / FILE}\n  next: cd {quoted(str(new))} && python train.py --help")
    return None


def progress(text: str) -> None:
    """Tell on stderr what is being done, on a terminal."""
    if sys.stderr.isatty():
        say(text, error=True)
