"""`-m`: run every combination of the swept values one after the other, and print a table at the end."""

from __future__ import annotations

import datetime
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cn.composing.choices import options_at
from cn.composing.compose import compose, fitting
from cn.composing.overrides import WordError, expand
from cn.composing.results import comes_to, first_of_each, refuse_failed, results_table
from cn.errors import CNError, RunError
from cn.job import Job, Launcher, Request, asked_for
from cn.nodes.node import CN
from cn.run_folder.folder import folder_of
from cn.run_folder.terminated import TerminatedError
from cn.screen import OutputError, say


def multirun(
    function: Callable[[Any, Job], Any],
    contract: Any,
    base: CN | None,
    words: list[str],
    job: Job,
    launcher: Launcher | None,
) -> None:
    """Run each combination. All are composed before the first starts, so that an invalid one fails early."""
    start: Any = contract
    if base is not None:  # the recorded folder is that of the earlier run
        own = folder_of(base) is not None and not any(word.startswith("folder=") for word in words)
        start = compose(base, ["folder=null"]) if own else base
    try:
        combinations = expand(words, lambda key: options_at(key, words, contract, base))
    except WordError as error:
        raise fitting(error, start, words) from None
    group = datetime.datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    varied = [i for i in range(len(words)) if len({row[i] for row in combinations}) > 1]
    asked = [
        Request(
            compose(start, combination),
            replace(job, overrides=tuple(combination), group=group),
            tuple(combination[i] for i in varied),
        )
        for combination in combinations
    ]
    (launcher or here)(function, asked)


def here(function: Callable[[Any, Job], Any], asked: list[Request]) -> None:
    """Run the requests one after the other in this process.

    The error of a failed run is printed and the others continue, with a RunError at the end; a signal stops all runs.
    """
    asked = [asked[place] for place in first_of_each([comes_to(each.run) for each in asked], asked_for(asked))]
    results: list[Any] = []
    for number, (node, job, varied) in enumerate(asked):
        say(" ".join([f"[{number + 1}/{len(asked)}]", *varied]))
        try:
            results.append(function(node, job))
        except (CNError, KeyboardInterrupt, TerminatedError) as error:
            if not isinstance(error, CNError) or error.status > 128:  # a signal, which stops all runs
                say("\n" + results_table([each.varied for each in asked], results))
                raise
            say(error)
            results.append(error)
        except (BrokenPipeError, OutputError):  # what the others print could not be written either
            raise
        except Exception as error:  # a defect of the function
            say("".join(traceback.format_exception(error)), end="", error=True)
            results.append(RunError(traceback.format_exception_only(error)[-1].strip()))
    say("\n" + results_table([each.varied for each in asked], results))
    refuse_failed(results)
