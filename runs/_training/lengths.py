"""The length of a run, and unsupported settings; computed before the network is built."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

from dataclasses import replace

from cn import UserError
from data import Dataset
from runs import Run
from runs._course import steps_per_epoch
from runs._processes.collectives import Ranks
from runs._training.device import Device


def lengths(run: Run, data: Dataset, ranks: Ranks) -> tuple[int, int]:
    """Return the examples in a batch over all processes, and the optimiser steps in an epoch."""
    examples, noun = data.length, data.noun
    batch = run.data.batch_size if examples is None else min(run.data.batch_size, examples)
    if examples is not None and examples < batch * run.accumulate:
        what = f"accumulate={run.accumulate}: {run.accumulate} batches of {batch} are more than "
        raise UserError(f"{what}the {examples} training {noun}", f"nearest: accumulate={examples // batch}")
    if batch < ranks.size:
        what = f"data.batch_size={run.data.batch_size}: {batch} {noun} are no batch for {ranks.size} processes"
        raise UserError(what, f"nearest: data.batch_size={ranks.size}")
    if examples is None:
        if run.steps is None:
            what = f"data: {type(run.data).__name__} has no end, and a run must have one"
            raise UserError(what, "write: steps=10000")
        return batch, run.steps
    return batch, steps_per_epoch(run, examples)


def own_device(run: Run, device: Device, ranks: Ranks) -> Device:
    """Return the device of a task that takes its own steps; UserError for options that such steps do not support."""
    larger = f"data.batch_size={run.data.batch_size * run.accumulate}"
    for word, asked, nearest in (
        (f"accumulate={run.accumulate}", run.accumulate > 1, larger),
        ("compile=true", run.compile is True, "compile=null"),
        ("parallel=fsdp", ranks.size > 1 and not run.parallel._whole, "parallel=ddp"),
    ):
        if asked:
            what = f"{word}: {type(run.task).__name__} takes its steps itself, and cannot have it"
            raise UserError(what, f"nearest: {nearest}")
    return replace(device, compiled=False)
