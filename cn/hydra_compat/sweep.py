"""`-m` with Hydra's launchers and sweepers, such as `-m hydra/launcher=joblib seed=1,2`."""

from __future__ import annotations

from typing import Any, cast

from hydra._internal.callbacks import Callbacks
from hydra._internal.hydra import Hydra
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, RunMode
from omegaconf import OmegaConf

from cn.composing.choices import options_at
from cn.composing.compose import compose
from cn.composing.overrides import expand
from cn.composing.results import comes_to, first_of_each, refuse_failed, results_table
from cn.errors import CNError
from cn.hydra_compat.groups import PRIMARY, prepare
from cn.screen import say

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
    combinations = expand(axes, lambda key: options_at(key, axes, task.contract))
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


def _report(axes: list[str], combinations: list[list[str]], done: list[JobReturn]) -> None:
    places = [i for i in range(len(axes)) if len({row[i] for row in combinations}) > 1]
    results: list[Any] = []
    for each in done:
        try:
            results.append(each.return_value)
        except Exception as error:
            results.append(error)
    say("\n" + results_table([tuple(row[i] for i in places) for row in combinations], results))
    for error in results:
        if isinstance(error, Exception) and not isinstance(error, CNError):
            raise error
    refuse_failed(results)
