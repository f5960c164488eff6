"""`-m` with Hydra's launchers and sweepers, such as `-m hydra/launcher=joblib seed=1,2`."""

from __future__ import annotations

import functools
from typing import Any, cast

from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, RunMode
from omegaconf import OmegaConf

from cn.compose import compose
from cn.errors import CNError, RunError
from cn.groups import PRIMARY, prepare
from cn.multirun import (
    _options,  # pyright: ignore[reportPrivateUsage]
    comes_to,
    first_of_each,
)
from cn.overrides import expand
from cn.screen import say
from cn.table import table

BASIC = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"


def launch(hydra: Hydra, task: Any, words: list[str]) -> None:
    """Hand every combination to the launcher at once; another sweeper than Hydra's basic one is left to itself.

    The basic one is not used, since it writes its configuration as YAML and knows only the groups of plain Hydra.
    RunError at the end if any run failed; an error that is not the user's goes on as it is.
    """
    config: Any = hydra.compose_config(PRIMARY, words, RunMode.MULTIRUN, with_log_configuration=True)
    sweeper = config.hydra.sweeper
    if sweeper._target_ != BASIC:
        prepare(task.contract)
        hydra.multirun(PRIMARY, task, words)
        return
    params = [f"{key}={value}" for key, value in dict[str, Any](sweeper.params or {}).items()]
    axes = [*params, *cast("list[str]", OmegaConf.to_container(config.hydra.overrides.task))]
    combinations = expand(axes, functools.partial(options, task.contract, axes))
    runs = [comes_to(compose(task.contract, each)) for each in combinations]
    combinations = [combinations[place] for place in first_of_each(runs, [" ".join(each) for each in combinations])]
    callbacks = Callbacks(config)
    callbacks.on_multirun_start(config=config, config_name=PRIMARY)
    launcher = Plugins.instance().instantiate_launcher(HydraContext(hydra.config_loader, callbacks), task, config)
    results: list[JobReturn] = []
    size = sweeper.max_batch_size or len(combinations)
    for start in range(0, len(combinations), size):
        results += launcher.launch(combinations[start : start + size], initial_job_idx=start)
    callbacks.on_multirun_end(config=config, config_name=PRIMARY)
    _report(axes, combinations, results)


def options(contract: Any, words: list[str], key: str) -> list[str]:
    """What `glob(...)` may choose from at a key, with these overrides."""
    return _options(contract, None, key, words)


def _report(axes: list[str], combinations: list[list[str]], results: list[JobReturn]) -> None:
    varied = [i for i in range(len(axes)) if len({row[i] for row in combinations}) > 1]
    rows: list[list[str]] = []
    failures: list[Exception] = []
    for number, (combination, result) in enumerate(zip(combinations, results, strict=True)):
        try:
            value = result.return_value
            shown = f"{value:.4f}" if isinstance(value, float) else str(value)
        except Exception as error:
            failures.append(error)
            shown = f"failed: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        rows.append([str(number), *(combination[i].partition("=")[2] for i in varied), shown])
    header = ["no.", *(axes[i].partition("=")[0] for i in varied), "result"]
    say("\n" + table(header, rows))
    for error in failures:
        if not isinstance(error, CNError):
            raise error
    if failures:
        raise RunError(f"{len(failures)} of {len(results)} runs failed")
