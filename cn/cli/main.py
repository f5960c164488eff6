"""The entry point: from the words of the command line to a call of the program's function with the composed node."""

from __future__ import annotations

import argparse
import gc
import inspect
import sys
from collections.abc import Callable
from typing import Any

from cn import program
from cn.cli.exit_status import exit_status
from cn.cli.parser import parser
from cn.composing.compose import compose
from cn.composing.overrides import of_hydra
from cn.errors import UserError, hint
from cn.job import Job, Launcher, Request
from cn.nodes.node import CN
from cn.nodes.resolving import kinds_of
from cn.nodes.traversal import walk
from cn.screen import answering, any_letter, say


def main(
    function: Callable[[Any, Job], Any],
    argv: list[str] | None = None,
    *,
    folder: bool = True,
    launcher: Launcher | None = None,
) -> None:
    """Compose the run from the command line and call `function(run, job)`; the annotation of `run` is the contract.

    folder: each run gets a folder in outputs/, `job.folder`, with its configuration, command, log and summary;
        False for a function that makes its own.
    launcher: runs the function once per request, here or on a cluster; by default the one that a field
        `launch: Launch` of the run chooses, if it has such a field.
    Exits with status 2 for a user's mistake, and with 1 for a failed run.
    """
    words = sys.argv[1:] if argv is None else argv
    if status := exit_status(lambda: _main(function, words, launcher, folder)):
        sys.exit(status)


def _main(function: Callable[[Any, Job], Any], words: list[str], launcher: Launcher | None, folder: bool) -> None:
    program.script = program.of_process()
    contract = contract_of(function)
    flags = parser()
    args, others = flags.parse_known_intermixed_args(words)
    if others:
        from cn.cli.unknown_option import unknown

        raise UserError(unknown(contract, _recorded(args, contract), words, others[0], flags.options()))
    if "=" in (args.explain or "") or (args.explain or "").startswith("~"):
        args.overrides.insert(0, args.explain)  # --explain run=NAME: explain all values
        args.explain = ""
    if args.source:
        from cn.writing.record import by_beginning

        args.source = by_beginning(args.source)
    asked = args.help, args.version, args.shell_completion, args.cfg, args.info, args.hydra_help, args.save_as
    if args.schema or any(asked) or args.explain is not None:
        with answering():
            return _do(function, contract, args, words, launcher)
    any_letter()
    program.typed = () if args.multirun else tuple(words)
    if folder and not args.experimental_rerun:
        from cn.run_folder.recorded import Recorded

        function = Recorded(function)
    return _do(function, contract, args, words, launcher or _launcher(contract))


def _launcher(contract: Any) -> Launcher | None:
    """Return the launcher of runs with a field `launch: Launch`; None for other runs."""
    if "launch" not in contract._fields:
        return None
    from cn.launching.launch import Launch

    kinds: tuple[type, ...] = getattr(kinds_of(contract)["launch"], "types", ())
    if not any(issubclass(each, Launch) for each in kinds):
        return None

    def launch(function: Callable[[Any, Job], Any], asked: list[Request]) -> None:
        from cn.sweeping.submitting.dispatch import dispatch

        dispatch(function, asked)

    return launch


def _recorded(args: argparse.Namespace, contract: Any) -> CN | None:
    """Return the run that `--from` names, a run of ours or of Hydra; None without `--from`."""
    if not args.source:
        return None
    from cn.importing.old_run.written import config_of

    if (config := config_of(args.source)) is not None:
        from cn.importing.old_run.loaded import of_hydra

        return of_hydra(config, contract)
    from cn.writing.record import load

    return load(args.source, (contract,))


def _do(
    function: Callable[[Any, Job], Any],
    contract: Any,
    args: argparse.Namespace,
    words: list[str],
    launcher: Launcher | None,
) -> None:
    if args.shell_completion:
        from cn.cli.completion import completion

        completion(contract, args.overrides)
        return gc.freeze()  # skip the garbage collection at exit, which takes time
    if args.version:
        import hydra

        say(f"Hydra {hydra.__version__}")
        return None
    base = _recorded(args, contract)
    if base is not None and not isinstance(base, contract):
        what = f"{args.source} records a {type(base).__name__}"
        raise UserError(f"{what}, and {program.script} runs a {contract.__name__}")
    hydra = args.info, args.hydra_help, args.experimental_rerun, args.config_path, args.config_name, args.config_dir
    of_plain = any(hydra) or args.cfg in ("hydra", "all") or any(map(of_hydra, args.overrides))
    if args.partial and args.cfg != "job":
        write = f"write: python {program.script} --cfg job --partial"
        raise UserError("--partial says what --cfg job may leave open", write)
    for flag, given in (("--package", args.package is not None), ("--resolve", args.resolve)):
        if given and not args.cfg:
            what = "says which part --cfg shows" if flag == "--package" else "says how --cfg shows interpolations"
            write = f"write: python {program.script} --cfg job {flag}{' NAME' if flag == '--package' else ''}"
            raise UserError(f"{flag} {what}", write)
    if not args.help or (args.multirun and args.overrides):
        _refuse_two(args, of_plain)
    if of_plain:
        if base is not None:
            raise UserError("--from does not go together with Hydra's own options", "leave out one of the two")
        from cn.hydra_compat.options import refuse, run_hydra

        refuse(args, contract)
        if not args.help and args.cfg != "job":
            return run_hydra(function, contract, args, words)
        args.overrides = [word for word in args.overrides if not of_hydra(word)]
    if args.help:
        from cn.cli.help import help_text

        say(help_text(contract, base, args.overrides))
        gc.freeze()  # as above
    elif args.explain is not None:
        from cn.cli.explain import explain_text

        say(explain_text(contract, base, args.overrides, args.explain, args.source))
    elif args.save_as is not None:
        from cn.cli.save_as import save

        say(save(contract, base, args.overrides, args.save_as, args.source))
    elif args.schema:
        from cn.cli.schema import schema_text

        say(schema_text(contract, base, args.overrides))
        gc.freeze()  # as above
    elif args.cfg:
        from cn.writing.python import as_python

        node = compose(base if base is not None else contract, args.overrides, partial=args.partial)
        say(as_python(_at(node, args.package)), end="")
        gc.freeze()  # as above
    elif args.multirun:
        from cn.cli.multirun import multirun

        job = Job(argv=tuple(words), source=args.source)
        multirun(function, contract, base, args.overrides, job, launcher)
    else:
        node = compose(base if base is not None else contract, args.overrides)
        job = Job(tuple(args.overrides), tuple(words), args.source)
        if launcher is None:
            function(node, job)
        else:
            launcher(function, [Request(node, job)])
    return None


def _refuse_two(args: argparse.Namespace, of_plain: bool) -> None:
    """Raise UserError if one of `--explain`, `--save-as`, `--schema`, `--cfg`, `--help` is asked with another."""
    asked = {
        "--explain": args.explain is not None,
        "--save-as": args.save_as is not None,
        "--schema": args.schema,
        "-m": args.multirun,
        "--cfg": args.cfg == "job",
        "--help": args.help,
        "Hydra's own options": of_plain,
    }
    flags = [flag for flag, given in asked.items() if given]
    if len(flags) > 1 and (flags[0] in ("--explain", "--save-as", "--schema") or flags[1] in ("--cfg", "--help")):
        raise UserError(f"{flags[0]} does not go together with {flags[1]}", "leave out one of the two")


def contract_of(function: Callable[..., Any]) -> Any:
    """Return the node class that annotates the first parameter of the function; UserError if there is none."""
    name, parameter = next(iter(inspect.signature(function).parameters.items()), ("run", None))
    contract: Any = parameter.annotation if parameter is not None else None
    if isinstance(contract, str):
        try:
            contract = eval(contract, getattr(inspect.unwrap(function), "__globals__", {}))
        except NameError as error:
            why = f"{function.__name__}({name}: {contract}) has an annotation that cannot be read: {error}"
            raise UserError(why, "write: its import outside of `if TYPE_CHECKING`") from None
    if not (isinstance(contract, type) and issubclass(contract, CN) and contract is not CN):
        raise UserError(f"{function.__name__}({name}: ...) must be annotated with a node class, such as Run")
    return contract


def _at(node: CN, address: str | None) -> CN:
    asked = (address or "").replace("/", ".")
    found = next((each for at, each in walk(node) if at.replace("/", ".") == asked), None)
    if found is None:
        what = f"--package {address}: there is no node at {address}"
        near = hint(asked, [at for at, _ in walk(node) if at])
        raise UserError(what, near, f"see: python {program.script} --help")
    return found
