"""From a run to its score: build the parts, train, test, and record everything in the run folder."""

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

from cn import CNError, Job, Pruned, RunError, UserError
from cn.job import Past
from cn.launching.ranks import redirect_output
from cn.paths import at_home
from cn.run_folder.folder import again, claimed, command_line, create, log, write_json
from cn.run_folder.progress import summary as summary_of
from cn.run_folder.shown import listed, number
from cn.run_folder.status import RunStatus, is_finished
from data import Dataset
from runs import Run, _checkpoint
from runs._branches import begin_from
from runs._compatibility import TOKENS, refuse_other
from runs._curves import draw
from runs._failure import explain, note
from runs._headline import headline
from runs._network_error import unfit
from runs._processes.collectives import ALONE, Ranks, reseed
from runs._processes.rendezvous import joined
from runs._processes.restart import before, hand_on
from runs._processes.stop import Stop
from runs._request import Asked, asked
from runs._screen import Screen, Silent
from runs._skipped_examples import record, tell_left_out
from runs._training.built import expect, try_out
from runs._training.device import choose, place, prepare
from runs._training.evaluate import evaluate
from runs._training.initial import begin, freeze, refuse_other_tokens
from runs._training.lengths import lengths, own_device
from runs._training.loop import Interrupted, fit
from runs._training.state import Training
from runs._unread_fields import Watch
from runs.callbacks._hooks import bind, built
from runs.logger._thread import Thread
from runs.logger._writer import JsonLines, State, Writer
from runs.task import Objective


def train(run: Run, job: Job, request: Asked | None = None) -> float:
    """Train, resume, or with mode=eval only test; return the score: the goal's metric in the test.

    With `--from` and no changes, the run resumes in its own folder. With changes it is a new run.

    request: the result of `asked`, if the caller has called it before importing torch.
    """
    source, resumed, checkpoint = request if request is not None else asked(run, job)
    with joined(cuda=run.gpu != -1 and torch.cuda.is_available()) as ranks:
        if run.mode == "eval" and source is not None:
            return test(run, source, ranks, checkpoint or _checkpoint.BEST)
        found = source if resumed else ranks.broadcast(lambda: before(run, ranks))
        folder = ranks.broadcast(lambda: hand_on(found or create(run, job), run, ranks))
        instead = f"to test it all the same: {again(folder)} mode=eval"
        with claimed(folder, instead) if ranks.first else nullcontext():
            if found is not None and ranks.broadcast(lambda: _is_spent(folder)):
                what = f"{folder} has finished, and its last checkpoint is gone: training would replace its best one"
                new = f"for a new run: {again(folder)} folder=FOLDER"
                raise RunError(what, f"to test that one: {again(folder)} mode=eval", new)
            if ranks.first:
                _checkpoint.clean(folder)
            redirect_output(folder, ranks.rank)
            if (
                found is None and (past := ranks.broadcast(lambda: job.past)) is not None
            ):  # other nodes may see it later
                _begin_from(past, folder, run, ranks)
                found = folder if ranks.broadcast(lambda: _checkpoint.exists(folder)) else None
            return _attempt(run, job, folder, ranks, resumed=found is not None)


def _is_spent(folder: Path) -> bool:
    """Return whether a run has finished and cannot go on from its end."""
    return is_finished(summary_of(folder)) and not _checkpoint.exists(folder)


def _begin_from(past: Past, folder: Path, run: Run, ranks: Ranks) -> None:
    """Take over the state of another trial, if it is one that this run would come to."""
    known = run.course()
    device = choose(run, steps=0 if isinstance(known, str) else len(known.rates), ranks=ranks)
    ranks.broadcast(lambda: log(folder, begin_from(past, folder, run, device)))


def test(run: Run, folder: Path, ranks: Ranks, checkpoint: str) -> float:
    """Return the score of one of a folder's checkpoints; the folder is not changed."""
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
        raise UserError(*str(fails).split("\n  "), "its traceback is above") from error


def scored(run: Run) -> str:
    """Return the test metric that is a run's score, such as `test/accuracy`."""
    return run.task.goal()[0].test


def _score(training: Training, say: Callable[[str], None], name: str = _checkpoint.BEST) -> dict[str, float]:
    ranks, step = training.ranks, 0
    training.average = None
    if ranks.first or training.shards is not None:  # only rank 0 knows that the file is complete
        state = training.read(training.folder / name, weights=True)
        refuse_other(state, training.folder / name, training)
        training.module.load_state_dict(state.get("average") or state["module"])
        step = state["step"]
    if training.shards is None:
        ranks.broadcast_module(training.module)
    found = evaluate(training, training.dataset.test)
    for other, split in training.dataset.others.items():
        found |= {f"{other}_{name}": value for name, value in evaluate(training, split).items()}
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
    """Build the parts of a run; the same seed builds the same parts.

    begins: whether the weights are initialized with `init`; otherwise a checkpoint replaces them.
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
        init = at_home(run.init)
        refuse_other_tokens(init, dataset.vocabulary)
        say(begin(module, init))
    dataset = dataset.to(device.device)
    measured = try_out(objective, module, dataset, device, run)
    shards = run.parallel.shard(module, device.device) if ranks.size > 1 else None
    rule = objective.schedule(run.schedule, steps=steps)
    optimizer = expect(Optimizer, objective.optimizer(run.optim), "optim", run.optim)
    rules = {name: each.build(steps=steps) for name, each in objective.schedules.items()}
    hooks = built(run)
    if any(each.observes for each in (rule, *rules.values())) and "validation/loss" not in measured:
        what = f"schedule: {type(run.schedule).__name__} follows the validation loss, and {type(run.task).__name__}"
        raise UserError(f"{what} measures none", "nearest: schedule=one_cycle")
    if ranks.size > 1:  # parts that are equal on all ranks have been built
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
    """Run one attempt; whatever happens, rank 0 records it in the folder."""
    earlier = summary_of(folder) if resumed else {}
    started = time.monotonic() - earlier.get("seconds", 0.0)
    summary: dict[str, Any] = {"state": RunStatus.RUNNING, "command": command_line(job)}
    origin = earlier.get("source") if resumed else str(job.source) if job.source is not None else None
    if origin is not None:
        summary["source"] = origin

    def leave(state: RunStatus, **more: Any) -> None:
        over = is_finished(earlier) or is_finished(summary)
        summary.update(state=state, **more, seconds=round(time.monotonic() - started, 3))
        if ranks.first and (state == RunStatus.FINISHED or not over):  # a finished run keeps its result
            write_json(folder / "summary.json", summary)

    stop = Stop(ranks)
    try:
        with stop:
            leave(RunStatus.RUNNING)
            _guarded(run, job, folder, leave, stop, ranks, resumed=resumed)
    except BaseException as error:
        told = explain(error, run, folder, stop, ranks)
        ranks.report_failure(told)
        try:
            ended = RunStatus.INTERRUPTED if isinstance(told, (Interrupted, Pruned)) else RunStatus.FAILED
            leave(ended, reason=str(told).partition("\n")[0])
        except OSError as second:
            note(folder, f"summary.json cannot be written: {second}")
        raise told from (None if told is error else error)
    finally:
        try:
            if ranks.first:
                draw(folder)
        except Exception as error:  # a failed picture must not fail the run
            note(folder, f"curves.png cannot be drawn: {type(error).__name__}: {error}")
    return float(summary[scored(run)])


def _guarded(
    run: Run, job: Job, folder: Path, leave: Callable[..., None], stop: Stop, ranks: Ranks, *, resumed: bool
) -> None:
    """Train and test; facts and results are written to the summary immediately."""
    screen = Screen(folder) if ranks.first else Silent(folder)
    own = JsonLines(folder / "metrics.jsonl", log_every=run.log_every) if ranks.first else Writer()
    writer = Thread(own, screen.line)
    watch = Watch(run, job)
    loggers = run.logger if ranks.first else {}
    ended: State = RunStatus.FAILED
    try:
        saved = resumed and ranks.broadcast(lambda: _checkpoint.exists(folder))  # another node may see the file later
        training = build(run, folder, screen.line, ranks, show=writer.show, begins=not saved)
        several = {"processes": ranks.size} if ranks.size > 1 else {}
        sizes = {"parameters": training.parameters, "device": str(training.device), "steps": training.steps}
        leave(RunStatus.RUNNING, **sizes, goal=str(run.task.goal()[0]), **several)
        if ranks.first and training.dataset.vocabulary is not None and not (saved and (folder / TOKENS).exists()):
            write_json(folder / TOKENS, training.dataset.vocabulary.record())
        screen.line(headline(run, training, ranks.size))
        state = training.read(folder / _checkpoint.LAST) if saved else None
        training.report, training.branches = job.report, frozenset(job.branches)
        if state is not None:
            refuse_other(state, folder / _checkpoint.LAST, training)
            training.load_state_dict(state)
        if resumed:
            screen.line(_resumes(training, 1 + len(state["others"]) if state is not None else ranks.size))
        begun = training.step
        for hook in bind(training.hooks, "on_start"):
            hook(training)
        if state is not None:
            training.load_random(state)  # undo the random numbers that hooks drew
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
        leave(RunStatus.FINISHED, **result, **({"skipped": record(skipped)} if skipped else {}))
        ended = RunStatus.FINISHED
    except (Interrupted, Pruned, KeyboardInterrupt):
        ended = RunStatus.INTERRUPTED
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
