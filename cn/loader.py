"""Hydra's side of a job: the configuration that it loads, the function that it calls, and its errors as ours."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import GrammarParseError, InterpolationResolutionError, OmegaConfBaseException

from cn import command, registry
from cn.compose import assemble, compose
from cn.content import mirror
from cn.errors import CNError, UserError, hint, lines
from cn.groups import PRIMARY
from cn.help import keys
from cn.interpolation import in_words
from cn.launch import options
from cn.main import Job
from cn.node import CN
from cn.overrides import check, expand, of_hydra
from cn.screen import OutputError

PLUGINS = {
    "ax": "hydra-ax-sweeper",
    "colorlog": "hydra-colorlog",
    "joblib": "hydra-joblib-launcher",
    "nevergrad": "hydra-nevergrad-sweeper",
    "optuna": "hydra-optuna-sweeper",
    "ray": "hydra-ray-launcher",
    "ray_aws": "hydra-ray-launcher",
    "rq": "hydra-rq-launcher",
    "submitit_local": "hydra-submitit-launcher",
    "submitit_slurm": "hydra-submitit-launcher",
}  # the package of each launcher, sweeper and logging that Hydra's own repository holds


class Task:
    """What Hydra calls for each job. It can be pickled, so that a launcher can send it to another process."""

    def __init__(self, function: Callable[[Any, Job], Any], contract: Any, argv: tuple[str, ...]) -> None:
        self.function = function
        self.contract = contract
        self.argv = argv

    def __call__(self, config: DictConfig) -> Any:
        """Call the program's function with what the job's overrides compose to."""
        job = HydraConfig.get()
        words = tuple(cast("list[str]", OmegaConf.to_container(job.overrides.task)))
        folder = Path(job.runtime.output_dir)
        node = compose(self.contract, words)
        return self.function(node, Job(overrides=words, argv=self.argv, folder=folder))


class Loader(ConfigLoaderImpl):
    """Hydra's loader for Hydra's own configuration, with the run that `cn` composes beside it."""

    def __init__(self, search_path: Any, contract: Any) -> None:
        super().__init__(search_path)
        self.contract = contract

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """As in Hydra: without a name Hydra's own alone, of a sweep its first run, perhaps with fields missing."""
        words = [word for word in overrides if not of_hydra(word)]
        of_plain = [word for word in overrides if of_hydra(word)]
        if not any(key_of(word) == "hydra.output_subdir" for word in of_plain):
            of_plain.append("hydra.output_subdir=null")  # so that no YAML is written
        with told():
            root: CN | None = None
            if config_name is not None and run_mode == RunMode.RUN:
                root = compose(self.contract, words)
            elif config_name is not None:
                root = assemble(self.contract, self.first(words))
            config = super().load_configuration(None, of_plain, run_mode, from_shell, validate_sweep_overrides)
            for section in ("run", "sweep"):
                folder = OmegaConf.to_container(config.hydra[section])["dir"]  # type: ignore
                config.hydra[section].dir = os.path.expanduser(cast("str", folder))
            if root is not None:
                self.enter(config, root, words)
        return config

    def first(self, words: list[str]) -> list[str]:
        """The overrides of the first of the runs that a sweep stands for; an interval has none."""
        kept = [word for word in words if not re.search(r"=(tag\(.*)?interval\(", word)]
        return [expand([word], functools.partial(options, self.contract, words))[0][0] for word in kept]

    def enter(self, config: DictConfig, root: CN, words: list[str]) -> None:
        """Add the run to Hydra's configuration, and what Hydra keeps about it."""
        with open_dict(config):
            config.merge_with(mirror(root))
            config.hydra.runtime.choices.update(_choices(self.contract, root))
        job = config.hydra.job
        job.config_name = PRIMARY
        config.hydra.overrides.task = words
        parsed = OverridesParser.create(self).parse_overrides(words)
        job.override_dirname = get_overrides_dirname(parsed, **job.config.override_dirname)

    def compute_defaults_list(self, config_name: str | None, overrides: list[str], run_mode: RunMode) -> Any:
        with told("what --info shows is how plain Hydra composes, and its grammar is smaller"):
            return super().compute_defaults_list(config_name, overrides, run_mode)


def key_of(word: str) -> str:
    """What an override is about."""
    return word.lstrip("+~").partition("=")[0]


def _choices(contract: Any, root: CN) -> dict[str, Any]:
    """The option at each key, for `${hydra:runtime.choices.model}`."""
    found: dict[str, Any] = {}
    for key, _, _, now in keys(contract, root):
        if isinstance(now, dict):
            found[key] = [_option(each) for each in cast("dict[str, CN]", now).values()]
        else:
            found[key] = _option(now)
    return found


def _option(node: CN | None) -> str | None:
    key = registry.key_of(type(node)) if node is not None else None
    return key.option if key else None


@contextlib.contextmanager
def told(note: str | None = None) -> Generator[None]:
    """Hydra's errors as ours, but not those of a job; with HYDRA_FULL_ERROR=1 they are left as they are."""
    try:
        yield
    except (CNError, BrokenPipeError, OutputError):
        raise
    except Exception as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1" or _of_job(error):
            raise
        raise UserError(_text(error, note)) from error


def _of_job(error: BaseException) -> bool:
    raised_by = JobReturn.return_value.fget.__code__  # pyright: ignore
    return any(frame.f_code is raised_by for frame, _ in traceback.walk_tb(error.__traceback__))


def _text(error: BaseException, note: str | None) -> str:
    """Hydra's message without its list of search paths, and with the nearest of the options that it lists."""
    if isinstance(error, OverrideParseException):
        try:
            check([error.override])
        except UserError as ours:
            return str(ours)
    if isinstance(error, GrammarParseError) or isinstance(error.__cause__, GrammarParseError):
        return lines("a ${...} cannot be read", f"see: python {command.script} --cfg hydra")
    if isinstance(error, InterpolationResolutionError) and (key := re.search(r"full_key: (.+)", str(error))):
        why, *instead = in_words(str(error))
        return lines(f"{key[1]}: {why}", *instead, f"see: python {command.script} --cfg hydra")
    message = str(error.args[0]) if error.args and not isinstance(error, OSError) else str(error)
    body = message.partition("Config search path:")[0].splitlines()
    listed = [line.strip() for line in body if line.startswith("\t")]
    noise = ("\t", "Available options", "object_type=", "See https", "    object_type=", "    reference_type=")
    rest = [line.strip() for line in body if line.strip() and not line.startswith(noise)]
    if isinstance(error.__cause__, OmegaConfBaseException):
        rest.append(str(error.__cause__).split("\n")[0])
    if not isinstance(error, (HydraException, OmegaConfBaseException, ValueError, OSError)):
        rest[:1] = [f"{type(error).__name__}: {''.join(rest[:1])}"]
    what, *more = rest or [type(error).__name__]
    near = hint(what.rstrip("'").rpartition("/")[2], listed) if listed else None
    absent = re.search(r"Could not find 'hydra/(\w+)/(\w+)'", what)
    package = PLUGINS.get(absent[2]) if absent and absent[1] in ("launcher", "sweeper", "job_logging") else None
    if package is not None:
        near = f"it comes with a plugin: pip install {package}"
    return lines(what, *more[:2], near, note, f"see: python {command.script} --cfg hydra")
