"""The options of the command line: Hydra's and our own."""

from __future__ import annotations

import argparse
import functools
from typing import Any, NoReturn

from cn import program
from cn.errors import UserError, nearest, short
from cn.paths import typed


class Once(argparse.Action):
    """An option with a value that may be given only once."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        if (before := getattr(namespace, self.dest)) is not None:
            both = " and ".join(f"{option_string} {short(str(each))}".rstrip() for each in (before, values))
            raise UserError(f"{option_string} is given twice: {both}", "keep one of them")
        setattr(namespace, self.dest, self.read(values))

    def read(self, value: Any) -> Any:
        """Return what a text means."""
        return value


class TypedPath(Once):
    """A path option; `~` is expanded."""

    def read(self, value: Any) -> Any:
        return typed(value)


class Parser(argparse.ArgumentParser):
    """Argparse with our error messages, and without its page of help."""

    def __init__(self) -> None:
        # with a fixed width, argparse does not import shutil (and zlib, bz2, lzma) to query the terminal
        formatter = functools.partial(argparse.HelpFormatter, width=100)
        super().__init__(add_help=False, allow_abbrev=False, formatter_class=formatter)

    def options(self) -> list[str]:
        return [flag for action in self._actions for flag in action.option_strings]

    def error(self, message: str) -> NoReturn:
        wrong = message.rsplit(": ", 1)[-1].split(" ")[0]
        near = nearest(wrong, self.options()) if wrong.startswith("-") else []
        instead = f"nearest: {', '.join(near)}" if near else None
        raise UserError(message, instead, f"see: python {program.script} --help")


def parser() -> Parser:
    """Return the parser of Hydra's flags and our own."""
    flags = Parser()
    flags.add_argument("overrides", nargs="*")
    flags.add_argument("--help", "-h", action="store_true")
    flags.add_argument("--version", action="store_true")
    flags.add_argument("--cfg", "-c", action=Once, choices=["job", "hydra", "all"])
    flags.add_argument("--partial", action="store_true")
    flags.add_argument("--package", "-p", action=Once)
    flags.add_argument("--resolve", action="store_true")
    flags.add_argument("--run", "-r", action="store_true")
    flags.add_argument("--multirun", "-m", action="store_true")
    flags.add_argument("--from", dest="source", action=TypedPath)
    flags.add_argument("--explain", action=Once, nargs="?", const="")
    flags.add_argument("--save-as", action=Once, metavar="NAME")
    flags.add_argument("--schema", action="store_true")
    flags.add_argument("--shell-completion", "-sc", action="store_true")
    flags.add_argument("--info", "-i", action=Once, nargs="?", const="all")
    flags.add_argument("--hydra-help", action="store_true")
    flags.add_argument("--experimental-rerun", action=TypedPath)
    flags.add_argument("--config-path", "-cp", action=Once)
    flags.add_argument("--config-name", "-cn", action=Once)
    flags.add_argument("--config-dir", "-cd", action=TypedPath)
    return flags
