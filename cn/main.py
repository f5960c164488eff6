"""The door: from the words on the command line to a call of the program's function with the composed object."""

from __future__ import annotations

import argparse
import errno
import functools
import gc
import inspect
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, cast

from cn import command
from cn.compose import compose
from cn.errors import CNError, UserError, lines, nearest, short
from cn.node import CN
from cn.overrides import of_hydra
from cn.paths import typed
from cn.record import load
from cn.screen import OutputError, answering, any_letter, escaped, flush, say


@dataclass(frozen=True)
class Job:
    """How a run was asked for: what a run cannot know from its own values."""

    overrides: tuple[str, ...] = ()  # as typed
    argv: tuple[str, ...] = ()  # the whole command line
    source: Path | None = None  # the folder given with --from
    folder: Path | None = None  # where Hydra was told to put the run
    group: str | None = None  # the folder shared by the runs of one -m


class Asked(NamedTuple):
    """One of the runs that a command line asks for."""

    run: Any
    job: Job
    varied: tuple[str, ...] = ()  # of its overrides, those that set it apart from the others


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
Launcher = Callable[[Callable[[Any, Job], Any], list[Asked]], None]  # sees to it that the function is called for each


class TypedPath(argparse.Action):
    """An option that takes a path, with `~` for a home folder."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        setattr(namespace, self.dest, typed(values))


class Parser(argparse.ArgumentParser):
    """Argparse, with errors like all others."""

    def options(self) -> list[str]:
        return [flag for action in self._actions for flag in action.option_strings]

    def error(self, message: str) -> NoReturn:
        wrong = message.rsplit(": ", 1)[-1].split(" ")[0]
        near = nearest(wrong, self.options()) if wrong.startswith("-") else []
        raise UserError(
            lines(
                message,
                f"nearest: {', '.join(near)}" if near else None,
                f"see: python {command.script} --help",
            )
        )


def parser() -> Parser:
    """Hydra's flags, and our own."""
    # with a width, argparse does not import shutil (and zlib, bz2, lzma) to ask for that of the terminal
    formatter = functools.partial(argparse.HelpFormatter, width=100)
    flags = Parser(add_help=False, allow_abbrev=False, formatter_class=formatter)
    flags.add_argument("overrides", nargs="*")
    flags.add_argument("--help", "-h", action="store_true")
    flags.add_argument("--version", action="store_true")
    flags.add_argument("--cfg", "-c", choices=["job", "hydra", "all"])
    flags.add_argument("--package", "-p")
    flags.add_argument("--resolve", action="store_true")
    flags.add_argument("--run", "-r", action="store_true")
    flags.add_argument("--multirun", "-m", action="store_true")
    flags.add_argument("--from", dest="source", action=TypedPath)
    flags.add_argument("--explain", nargs="?", const="")
    flags.add_argument("--save-as", metavar="NAME")
    flags.add_argument("--shell-completion", "-sc", action="store_true")
    flags.add_argument("--info", "-i", nargs="?", const="all")
    flags.add_argument("--hydra-help", action="store_true")
    flags.add_argument("--experimental-rerun", action=TypedPath)
    flags.add_argument("--config-path", "-cp")
    flags.add_argument("--config-name", "-cn")
    flags.add_argument("--config-dir", "-cd", action=TypedPath)
    return flags


def main(
    function: Callable[[Any, Job], Any], argv: list[str] | None = None, *, launcher: Launcher | None = None
) -> None:
    """Compose what the command line says and call `function(run, job)`; the annotation of `run` is the contract.

    launcher: calls it in our stead, here or elsewhere, for one run and for the many of `-m`.
    Exits with 2 for a mistake of the user's, and with 1 for a run that failed.
    """
    words = sys.argv[1:] if argv is None else argv
    command.script = os.path.basename(sys.argv[0]) or command.script
    if status := exit_status(lambda: _main(function, words, launcher)):
        sys.exit(status)


def exit_status(action: Callable[[], int | None]) -> int:
    """What a process ends with once it has done something: the action's own status, or that of its error, told."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed, by `>&-`: it is left to no file that is opened later
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    formatted = warnings.formatwarning

    def shown(*args: Any, **options: Any) -> str:  # warnings name files
        return escaped(formatted(*args, **options))

    warnings.formatwarning = shown
    try:
        return _ended(action)
    except OutputError as error:
        say(error.strerror, error=True)
        return 1
    except BrokenPipeError:  # the reader of our output has gone: head, less
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        return 130
    finally:
        warnings.formatwarning = formatted


def _ended(action: Callable[[], int | None]) -> int:
    try:
        _expect_folder()
        status = action() or 0
        flush()  # here, where a reader that has gone is known
        return status
    except CNError as error:
        flush()
        say(error, error=True)
        return error.status
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            say(f"{short(str(error.filename))}: {error.strerror}", error=True)
            return 2
        if error.errno in FULL and error.filename is None and not isinstance(error, OutputError):
            say()  # which is refused too, if it was a print that failed
        raise


def _expect_folder() -> None:
    try:
        os.getcwd()
    except FileNotFoundError:
        raise UserError(lines("the current folder has been deleted", "go to one that is there: cd FOLDER")) from None


def _main(function: Callable[[Any, Job], Any], words: list[str], launcher: Launcher | None) -> None:
    contract = contract_of(function)
    flags = parser()
    args, others = flags.parse_known_intermixed_args(words)
    if others:
        raise UserError(_no_option(contract, args, words, others[0], flags.options()))
    if "=" in (args.explain or "") or (args.explain or "").startswith("~"):
        args.overrides.insert(0, args.explain)  # --explain run=NAME: of all
        args.explain = ""
    asked = args.help, args.version, args.shell_completion, args.cfg, args.info, args.hydra_help, args.save_as
    if any(asked) or args.explain is not None:
        with answering():
            return _do(function, contract, args, words, launcher)
    any_letter()
    return _do(function, contract, args, words, launcher)


def _no_option(contract: Any, args: argparse.Namespace, words: list[str], option: str, known: list[str]) -> str:
    from cn.flags import unknown

    return unknown(contract, load(args.source) if args.source else None, words, option, known)


def _do(
    function: Callable[[Any, Job], Any],
    contract: Any,
    args: argparse.Namespace,
    words: list[str],
    launcher: Launcher | None,
) -> None:
    if args.shell_completion:
        from cn.shell import completion

        completion(contract, args.overrides)
        return gc.freeze()  # Python ends sooner if it does not look through all classes for garbage
    if args.version:
        import hydra

        say(f"Hydra {hydra.__version__}")
        return None
    base = load(args.source, (contract,)) if args.source else None
    if base is not None and not isinstance(base, contract):
        raise UserError(
            f"{args.source} records a {type(base).__name__}, and {command.script} runs a {contract.__name__}"
        )
    of_plain = (
        args.info
        or args.hydra_help
        or args.experimental_rerun
        or args.config_path
        or args.config_name
        or args.config_dir
    )
    of_plain = of_plain or args.cfg in ("hydra", "all") or any(map(of_hydra, args.overrides))
    if not args.help:
        _refuse_two(args, bool(of_plain))
    if of_plain:
        if base is not None:
            raise UserError(
                lines(
                    "--from does not go together with Hydra's own options",
                    "leave out one of the two",
                )
            )
        from cn.plain import run_hydra

        return run_hydra(function, contract, words)
    if args.help:
        from cn.help import help_text

        say(help_text(contract, base, args.overrides))
        gc.freeze()  # as above
    elif args.explain is not None:
        from cn.explain import explain_text

        say(explain_text(contract, base, args.overrides, args.explain, args.source))
    elif args.save_as is not None:
        from cn.saved import save

        say(save(contract, base, args.overrides, args.save_as, args.source))
    elif args.cfg:
        from cn.python import as_python

        node = compose(base if base is not None else contract, args.overrides)
        say(as_python(_at(node, args.package)), end="")
        gc.freeze()  # as above
    elif args.multirun:
        from cn.multirun import multirun

        job = Job(argv=tuple(words), source=args.source)
        multirun(function, contract, base, args.overrides, job, launcher)
    else:
        node = compose(base if base is not None else contract, args.overrides)
        job = Job(tuple(args.overrides), tuple(words), args.source)
        if launcher is None:
            function(node, job)
        else:
            launcher(function, [Asked(node, job)])
    return None


def _refuse_two(args: argparse.Namespace, of_plain: bool) -> None:
    """UserError where `--explain` or `--save-as` is asked for, and something else besides."""
    asked = {
        "--explain": args.explain is not None,
        "--save-as": args.save_as is not None,
        "-m": args.multirun,
        "--cfg": args.cfg == "job",
        "Hydra's own options": of_plain,
    }
    flags = [flag for flag, given in asked.items() if given]
    if len(flags) > 1 and flags[0] in ("--explain", "--save-as"):
        raise UserError(lines(f"{flags[0]} does not go together with {flags[1]}", "leave out one of the two"))


def contract_of(function: Callable[..., Any]) -> Any:
    """The node class that the first parameter of a program's function is annotated with."""
    name, parameter = next(iter(inspect.signature(function).parameters.items()), ("run", None))
    contract: Any = parameter.annotation if parameter is not None else None
    if isinstance(contract, str):
        try:
            contract = eval(contract, getattr(inspect.unwrap(function), "__globals__", {}))
        except NameError as error:
            why = f"{function.__name__}({name}: {contract}) has an annotation that cannot be read: {error}"
            raise UserError(lines(why, "write: its import outside of `if TYPE_CHECKING`")) from None
    if not (isinstance(contract, type) and issubclass(contract, CN) and contract is not CN):
        raise UserError(f"{function.__name__}({name}: ...) must be annotated with a node class, such as Run")
    return contract


def _at(node: CN, address: str | None) -> CN:
    found: Any = node
    for part in (address or "").replace("/", ".").split(".") if address else []:
        found = cast("dict[str, Any]", found).get(part) if isinstance(found, dict) else getattr(found, part, None)
    if not isinstance(found, CN):
        raise UserError(
            lines(
                f"--package {address}: there is no node at {address}",
                f"see: python {command.script} --help",
            )
        )
    return found
