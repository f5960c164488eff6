"""Hydra's own options: `hydra/launcher=...`, `hydra.run.dir=...`, `--info`, `--cfg hydra`.

Hydra composes its own configuration and starts the jobs; the run is composed by `cn`, here and again in each job. So
an override means what it means without Hydra's options, and no file is imported but those that are chosen.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra import version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_automatic_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import OmegaConf

from cn import program
from cn.composing.compose import fitting, root_name
from cn.composing.overrides import WordError, check, parse
from cn.discovery.discover import options
from cn.errors import UserError, hint, short
from cn.hydra_compat.groups import PRIMARY
from cn.hydra_compat.groups import prepare as prepare
from cn.hydra_compat.loader import Loader, Task, key_of, told
from cn.hydra_compat.sweep import launch
from cn.job import Job
from cn.screen import quoting, say

INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")


def refuse(args: Any, contract: Any) -> None:
    """Raise UserError for flags that exclude each other, and for a word that cannot be parsed; before Hydra starts."""
    flags = ("run", "multirun", "cfg", "info", "help", "hydra_help", "experimental_rerun")
    asked = [f"--{flag.replace('_', '-')}" for flag in flags if getattr(args, flag)]
    if len(asked) > 1:
        raise UserError(f"{' and '.join(asked)} do not go together; keep one of them")
    if args.info and args.info not in INFO:
        raise UserError(f"--info {args.info} is not known", hint(args.info, INFO))
    if args.config_name:
        raise UserError(
            f"--config-name {args.config_name}: a run is a class, chosen by its name",
            _chosen(args.config_name, contract),
            f"see: python {program.script} --help",
        )
    if args.config_path is not None:
        folder = program.quoted(args.config_path)
        raise UserError(
            f"--config-path {short(args.config_path)}: runs are classes, and are read from no folder of YAML files",
            f"to make classes of them: python -m cn import {folder} --into NEW",
            f"for Hydra's own settings: --config-dir {folder}",
        )
    if args.config_dir and not args.config_dir.is_dir():
        raise UserError(f"--config-dir {args.config_dir} is not a folder")
    try:
        check(args.overrides, several=args.multirun)
    except WordError as error:
        raise fitting(error, contract, args.overrides) from None


def _chosen(name: str, contract: Any) -> str | None:
    """Return the word that chooses a run of this name; else the nearest names."""
    known = options((contract,))[0]
    return f"write: {root_name(contract)}={name}" if name in known else hint(name, known)


def run_hydra(function: Callable[[Any, Job], Any], contract: Any, args: Any, words: list[str]) -> None:
    """Run a command line with Hydra's own options; `args` are its parsed `words`."""
    if hydra.__version__.startswith("1.3."):  # later versions offer no older version base
        version.setbase("1.3")
    task = Task(function, contract, tuple(words))
    if args.experimental_rerun:
        return _rerun(task, args.experimental_rerun)
    file = inspect.getfile(inspect.unwrap(function))
    search_path = create_automatic_config_search_path(file, None, None)
    if args.config_dir:
        folder = f"file://{os.path.abspath(args.config_dir)}"
        search_path.prepend("command-line", folder, SearchPathQuery(provider="schema"))
    ours = Hydra(Path(file).stem, Loader(search_path, contract))
    GlobalHydra.instance().initialize(ours)
    try:
        with told():
            _dispatch(ours, task, args)
    finally:
        GlobalHydra.instance().clear()
    return None


def _dispatch(hydra: Hydra, task: Task, args: Any) -> None:
    words: list[str] = args.overrides
    if args.hydra_help:
        with quoting():
            hydra.hydra_help(None, get_args_parser(), args)
    elif args.info:
        prepare(task.contract)
        with quoting():
            hydra.show_info(args.info, PRIMARY, words)
    elif args.cfg:
        _show(hydra, args)
    else:
        modes = [word for word in words if key_of(word) == "hydra.mode"]
        several = args.multirun or any(mode.upper().endswith("=MULTIRUN") for mode in modes)
        words = [*(word for word in words if word not in modes), f"hydra.mode={'MULTIRUN' if several else 'RUN'}"]
        if several:
            launch(hydra, task, words)
        else:
            parse(words)
            hydra.run(PRIMARY, task, words)


def _show(hydra: Hydra, args: Any) -> None:
    """Print the configuration as Hydra does."""
    config: Any = hydra.compose_config(PRIMARY, args.overrides, RunMode.RUN)
    HydraConfig.instance().set_config(config)
    OmegaConf.set_readonly(config.hydra, None)
    config = hydra.get_sanitized_cfg(config, args.cfg)
    if args.package and args.package != "_global_":
        config = OmegaConf.select(config, args.package)
        if config is None:
            raise UserError(f"--package {args.package}: there is nothing at {args.package}")
        say(f"# @package {args.package}")
    if args.resolve and OmegaConf.is_config(config):
        OmegaConf.resolve(config)
    say(OmegaConf.to_yaml(config) if OmegaConf.is_config(config) else f"{config}\n", end="")


def _rerun(task: Task, file: Path) -> None:
    """Run a job again that Hydra's PickleJobInfoCallback has stored."""
    import pickle

    from hydra.core.utils import configure_log

    if not file.is_file():
        raise UserError(f"--experimental-rerun {file}: there is no such file")
    with file.open("rb") as stream:
        config = pickle.load(stream)
    configure_log(config.hydra.job_logging, config.hydra.verbose)
    HydraConfig.instance().set_config(config)
    task(config)
