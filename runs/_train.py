"""From a run to its score: make the parts, train, test, and leave a folder that tells all of it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from cn import CNError, Job, RunError, UserError
from cn.errors import lines
from data import Dataset
from runs import Run, _checkpoint, _folder
from runs._asked import asked
from runs._beginning import begin, freeze
from runs._curves import draw
from runs._device import choose, place, prepare
from runs._evaluate import evaluate
from runs._failure import explain, note
from runs._fitting import refuse_other
from runs._headline import headline
from runs._left_out import record, tell_left_out
from runs._lengths import lengths, own_device
from runs._loop import Interrupted, fit
from runs._meeting import joined
from runs._parts import expect, try_out
from runs._progress import Goal
from runs._progress import summary as summary_of
from runs._ranks import ALONE, Ranks, reseed, settle
from runs._restarted import before, hand_on
from runs._screen import Screen, Silent
from runs._shown import listed, number
from runs._stop import Stop
from runs._training import Training
from runs._unfit import unfit
from runs._unread import Watch
from runs.callbacks._hooks import bind, built
from runs.logger._thread import Thread
from runs.logger._writer import JsonLines, State, Writer
from runs.task import Objective


def train(run: Run, job: Job) -> float:
    """Train, or go on training, or with mode=eval only test; returns the score: the goal's metric in the test.

    With `--from` and nothing changed, the run goes on in its own folder. With changes it is a new run.
    """
    source, resumed, checkpoint = asked(run, job)
    with joined(cuda=run.gpu != -1 and torch.cuda.is_available()) as ranks:
        if run.mode == "eval" and source is not None:
            return test(run, source, ranks, checkpoint or _checkpoint.BEST)
        found = source if resumed else ranks.told(lambda: before(run, ranks))
        folder = ranks.told(lambda: hand_on(found or _folder.create(run, job), run, ranks))
        with _folder.claimed(folder) if ranks.first else nullcontext():
            if ranks.first:
                _checkpoint.clean(folder)
            settle(folder, ranks)
            return _attempt(run, job, folder, ranks, resumed=found is not None)


def test(run: Run, folder: Path, ranks: Ranks, checkpoint: str) -> float:
    """The score of one of a folder's checkpoints; nothing in the folder changes."""
    say = print if ranks.first else Silent(folder).line
    try:
        training = build(run, folder, say, ranks)
        score = _score(training, say, checkpoint)[scored(run)]
        tell_left_out(training)
        return score
    except Exception as error:
        if isinstance(error, CNError) or (fails := unfit(error, run)) is None:
            raise
        say("".join(traceback.format_exception(error)).rstrip())
        raise UserError(lines(*str(fails).split("\n  "), "its traceback is above")) from error


def scored(run: Run) -> str:
    """The metric of the test that is a run's score, such as `test/accuracy`."""
    return _goal(run).test


def _goal(run: Run) -> Goal:
    first = run.task.goal()[0]
    return Goal(first.name, first.less)


def _score(training: Training, say: Callable[[str], None], name: str = _checkpoint.BEST) -> dict[str, float]:
    ranks, step = training.ranks, 0
    training.average = None
    if ranks.first or training.shards is not None:  # the first alone knows that the file is whole
        state = training.read(training.folder / name, weights=True)
        refuse_other(state, training.folder / name, training)
        training.module.load_state_dict(state.get("average") or state["module"])
        step = state["step"]
    if training.shards is None:
        ranks.share(training.module)
    found = evaluate(training, training.dataset.test)
    which = "the best validation" if name == _checkpoint.BEST else name
    first = scored(training.run).removeprefix("test/")
    if first not in found:
        raise RunError(f"the test came to no {first}: {type(training.objective).__name__} measured {listed(found)}")
    rest = listed({name: value for name, value in found.items() if name != first})
    say(f"test {first} {number(found[first])}{rest and f' ({rest})'}, of {which}, at step {step}")
    metrics = {"step": step, "epoch": step / training.per_epoch}
    metrics |= {f"test/{name}": value for name, value in found.items()}
    for hook in bind(training.hooks, "on_test"):
        hook(training, metrics)
    return {name: value for name, value in metrics.items() if name not in ("step", "epoch")}


def build(
    run: Run, folder: Path, say: Any, ranks: Ranks = ALONE, *, show: Any = lambda *_: None, begins: bool = False
) -> Training:
    """The parts of a run, new; the same seed makes the same parts.

    begins: whether its weights are those that it begins with; else a checkpoint's take their place.
    """
    dataset = expect(Dataset, run.data.build(seed=run.seed), "data", run.data)
    batch, per_epoch = lengths(run, dataset, ranks)
    steps = run.steps if run.steps is not None else run.epochs * per_epoch
    device = choose(run, steps=steps, ranks=ranks)
    prepare(run, device)
    objective = expect(Objective, run.task.build(model=run.model, data=dataset), "task", run.task)
    if objective.steps_itself:
        device = own_device(run, device, ranks)
    module = place(expect(nn.Module, objective.network, "model", run.model), device)
    freeze(module, run.freeze)
    if begins and run.init is not None:
        say(begin(module, run.init))
    dataset = dataset.to(device.device)
    measured = try_out(objective, module, dataset, device, run)
    shards = run.parallel.shard(module, device.device) if ranks.size > 1 else None
    optimizer = expect(Optimizer, objective.optimizer(run.optim), "optim", run.optim)
    rules = {name: each.build(steps=steps) for name, each in objective.schedules.items()}
    rule, hooks = run.schedule.build(steps=steps), built(run.callbacks)
    if any(each.observes for each in (rule, *rules.values())) and "validation/loss" not in measured:
        what = f"schedule: {type(run.schedule).__name__} follows the validation loss, and {type(run.task).__name__}"
        raise UserError(lines(f"{what} measures none", "nearest: schedule=one_cycle"))
    if ranks.size > 1:  # what is the same in all of them has been made
        reseed(run.seed, ranks, 0)
    return Training(
        run=run,
        folder=folder,
        device=device,
        dataset=dataset,
        objective=objective,
        module=module,
        measured=measured,
        optimizer=optimizer,
        rule=rule,
        rules=rules,
        hooks=hooks,
        say=say,
        show=show,
        batch=batch,
        per_epoch=per_epoch,
        steps=steps,
        scaler=torch.amp.GradScaler(device.device.type) if device.scaled else None,
        ranks=ranks,
        shards=shards,
    )


def _attempt(run: Run, job: Job, folder: Path, ranks: Ranks, *, resumed: bool) -> float:
    """One attempt at a run: whatever happens, the folder says what, written by the first of its processes."""
    earlier = summary_of(folder) if resumed else {}
    started = time.time() - earlier.get("seconds", 0.0)
    summary: dict[str, Any] = {"state": "running", "command": _folder.command_line(job)}
    origin = earlier.get("source") if resumed else str(job.source) if job.source is not None else None
    if origin is not None:
        summary["source"] = origin

    def leave(state: str, **more: Any) -> None:
        over = "finished" in (earlier.get("state"), summary["state"])
        summary.update(state=state, **more, seconds=round(time.time() - started, 3))
        if ranks.first and (state == "finished" or not over):  # what it came to stands
            _folder.write_json(folder / "summary.json", summary)

    stop = Stop(ranks)
    try:
        with stop:
            leave("running")
            _guarded(run, job, folder, leave, stop, ranks, resumed=resumed)
    except BaseException as error:
        told = explain(error, run, folder, stop, ranks)
        ranks.tell(told)
        try:
            leave("interrupted" if isinstance(told, Interrupted) else "failed", reason=str(told).partition("\n")[0])
        except OSError as second:
            note(folder, f"summary.json cannot be written: {second}")
        raise told from (None if told is error else error)
    finally:
        try:
            if ranks.first:
                draw(folder)
        except Exception as error:  # a picture is not worth a run
            note(folder, f"curves.png cannot be drawn: {type(error).__name__}: {error}")
    return float(summary[scored(run)])


def _guarded(
    run: Run, job: Job, folder: Path, leave: Callable[..., None], stop: Stop, ranks: Ranks, *, resumed: bool
) -> None:
    """Train and test; what the parts are, and what came of it, is left in the summary at once."""
    screen = Screen(folder) if ranks.first else Silent(folder)
    own = JsonLines(folder / "metrics.jsonl", log_every=run.log_every) if ranks.first else Writer()
    writer = Thread(own, screen.line)
    watch = Watch(run, job)
    loggers = run.logger if ranks.first else {}
    ended: State = "failed"
    try:
        saved = resumed and ranks.told(lambda: _checkpoint.exists(folder))  # another machine may see it later
        training = build(run, folder, screen.line, ranks, show=writer.show, begins=not saved)
        several = {"processes": ranks.size} if ranks.size > 1 else {}
        sizes = {"parameters": training.parameters, "device": str(training.device), "steps": training.steps}
        leave("running", **sizes, goal=str(_goal(run)), **several)
        screen.line(headline(run, training, ranks.size))
        state = training.read(folder / _checkpoint.LAST) if saved else None
        if state is not None:
            refuse_other(state, folder / _checkpoint.LAST, training)
            training.load_state_dict(state)
        if resumed:
            screen.line(_resumes(training, 1 + len(state["others"]) if state is not None else ranks.size))
        begun = training.step
        for hook in bind(training.hooks, "on_start"):
            hook(training)
        if state is not None:
            training.load_random(state)  # whatever the hooks drew from it
        writer.start(training.step, {name: partial(logger.build, folder) for name, logger in loggers.items()})
        screen.start(step=training.step, steps=training.steps)
        stop.looping = True
        with nullcontext() if training.shards is None else training.shards.ended():
            fit(training, screen=screen, writer=writer, stop=stop)
        stop.looping = False
        score = _score(training, screen.line)
        skipped = tell_left_out(training)
        if training.step > begun and (unread := watch.warning(folder)):
            screen.line(unread)
        screen.line(f"{folder}")
        early = {"reason": training.reason} if training.reason is not None else {}
        best = {f"best/{name}" if name in ("step", "epoch") else name: value for name, value in training.best.items()}
        result = {"step": training.step, "epoch": training.epoch} | early | best | score
        writer.finish(result)
        leave("finished", **result, **({"skipped": record(skipped)} if skipped else {}))
        ended = "finished"
    except (Interrupted, KeyboardInterrupt):
        ended = "interrupted"
        raise
    finally:
        watch.close()
        screen.close()
        writer.close(ended)


def _resumes(training: Training, before: int) -> str:
    if training.step == 0:
        return "no checkpoint was saved: starts from the beginning"
    if training.step == training.steps or training.reason is not None:
        return f"has finished, at step {training.step}: nothing is left to train"
    goes = f"goes on after step {training.step}"
    now = training.ranks.size
    processes = "1 process" if now == 1 else f"{now} processes"
    return goes if now == before else f"{goes} on {processes}, before on {before}: random numbers begin anew"
