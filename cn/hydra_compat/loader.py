"""Hydra's side of a job: loading its configuration, calling the program's function, and translating its errors."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import GrammarParseError, InterpolationResolutionError, OmegaConfBaseException

from cn import program
from cn.composing.choices import keys, options_at
from cn.composing.compose import assemble, compose
from cn.composing.interpolation import in_words
from cn.composing.overrides import check, expand, of_hydra
from cn.discovery import registry
from cn.errors import CNError, UserError, hint, lines
from cn.hydra_compat.config import mirror
from cn.hydra_compat.groups import PRIMARY
from cn.job import Job
from cn.nodes.node import CN
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
}  # the pip package of each launcher, sweeper and logging config in Hydra's repository


class Task:
    """The task function of Hydra's jobs. It can be pickled, so that a launcher can send it to another process."""

    def __init__(self, function: Callable[[Any, Job], Any], contract: Any, argv: tuple[str, ...]) -> None:
        self.function = function
        self.contract = contract
        self.argv = argv

    def __call__(self, config: DictConfig) -> Any:
        """Compose the run from the job's overrides, and call the program's function."""
        job = HydraConfig.get()
        words = tuple(cast("list[str]", OmegaConf.to_container(job.overrides.task)))
        folder = Path(job.runtime.output_dir)
        node = compose(self.contract, words)
        return self.function(node, Job(overrides=words, argv=self.argv, folder=folder))


class Loader(ConfigLoaderImpl):
    """Hydra's loader for its own configuration, to which the run that `cn` composes is added."""

    def __init__(self, search_path: Any, contract: Any) -> None:
        super().__init__(search_path)
        self.contract = contract

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        *args: Any,
        **options: Any,
    ) -> DictConfig:
        """Load Hydra's own configuration, and with a name the run too; of a sweep its first run, perhaps incomplete."""
        load = functools.partial(super().load_configuration, None)
        return self._load(load, config_name, overrides, run_mode, *args, **options)

    def _load_configuration(
        self, config_name: str | None, overrides: list[str], run_mode: RunMode, **options: Any
    ) -> DictConfig:
        """Load for Hydra 1.4, which also passes parsed overrides; some belong to the run, so all are dropped."""
        load = functools.partial(cast("Any", super())._load_configuration, None)
        return self._load(load, config_name, overrides, run_mode, **options | {"parsed_overrides": None})

    def _load(
        self,
        load: Callable[..., DictConfig],
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        *args: Any,
        **options: Any,
    ) -> DictConfig:
        """Load Hydra's own overrides with `load`, and compose the run from the others."""
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
            config = load(of_plain, run_mode, *args, **options)
            for section in ("run", "sweep"):
                folder = OmegaConf.to_container(config.hydra[section])["dir"]  # type: ignore
                config.hydra[section].dir = os.path.expanduser(cast("str", folder))
            if root is not None:
                self.enter(config, root, words)
        return config

    def first(self, words: list[str]) -> list[str]:
        """Return the overrides of a sweep's first run, without intervals."""
        kept = [word for word in words if not re.search(r"=(tag\(.*)?interval\(", word)]
        return [expand([word], lambda key: options_at(key, words, self.contract))[0][0] for word in kept]

    def enter(self, config: DictConfig, root: CN, words: list[str]) -> None:
        """Add the run and its overrides to Hydra's configuration."""
        with open_dict(config):
            config.merge_with(mirror(root))
            config.hydra.runtime.choices.update(_choices(self.contract, root))
        job = config.hydra.job
        job.config_name = PRIMARY
        config.hydra.overrides.task = words
        how = job.config.override_dirname
        shown = sorted(word for word in words if key_of(word) not in how.exclude_keys)
        job.override_dirname = how.item_sep.join(shown).replace("=", how.kv_sep)

    def compute_defaults_list(self, config_name: str | None, overrides: list[str], run_mode: RunMode) -> Any:
        with told("what --info shows is how plain Hydra composes, and its grammar is smaller"):
            return super().compute_defaults_list(config_name, overrides, run_mode)


def key_of(word: str) -> str:
    """Return the key of an override."""
    return word.lstrip("+~").partition("=")[0]


def _choices(contract: Any, root: CN) -> dict[str, Any]:
    """Return the chosen option of each key, for `${hydra:runtime.choices.model}`."""
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
    """Convert Hydra's errors to UserError, except those of a job; HYDRA_FULL_ERROR=1 disables this."""
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
    """Return Hydra's message without the search path, and with the nearest option that it lists."""
    if isinstance(error, OverrideParseException):
        try:
            check([error.override])
        except UserError as ours:
            return str(ours)
    if isinstance(error, GrammarParseError) or isinstance(error.__cause__, GrammarParseError):
        return lines("a ${...} cannot be read", f"see: python {program.script} --cfg hydra")
    if isinstance(error, InterpolationResolutionError) and (key := re.search(r"full_key: (.+)", str(error))):
        why, *instead = in_words(str(error))
        return lines(f"{key[1]}: {why}", *instead, f"see: python {program.script} --cfg hydra")
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
    return lines(what, *more[:2], near, note, f"see: python {program.script} --cfg hydra")
