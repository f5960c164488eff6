"""The loop. It knows no task, model, data set, optimiser or schedule by name.

One `step` is one optimiser step, on `accumulate` batches. Nothing in a step waits for the device: losses add up
there and are read one log later.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from cn import Diverged, Pruned, RunError
from cn.run_folder.shown import listed
from data import BadExample
from runs._branches import leave_branch
from runs._training.evaluate import evaluate
from runs._training.forward import forward
from runs._training.log import Later, leave, report, rest
from runs._training.order import close, feed
from runs._training.own_step import own_step
from runs._training.state import Training
from runs._training.update import update
from runs.callbacks._hooks import Metrics, bind

if TYPE_CHECKING:
    from runs._processes.stop import Stop
    from runs._screen import Screen
    from runs.logger._thread import Thread


class Interrupted(RunError):  # noqa: N818
    """A signal ended the run, after a checkpoint."""


def fit(training: Training, *, screen: Screen, writer: Thread, stop: Stop) -> None:
    """Train from the current step to the last one, with a checkpoint after each validation."""
    run, optimizer, groups = training.run, training.optimizer, training.groups
    module, total, scaler, ranks = training.module, training.total, training.scaler, training.ranks
    own, share, parameters = training.objective.steps_itself, training.share, list(module.parameters())
    loss_of = own_step(training) if own else forward(training)
    on_step, on_log = bind(training.hooks, "on_step"), bind(training.hooks, "on_log")
    several = ranks.size > 1
    k, log_every, save_every, clip = run.accumulate, run.log_every, run.save_every, run.clip
    branches = training.branches
    step, steps = training.step, training.steps
    due = training.validates_after(step)  # the next step with a validation
    later: Later | None = None
    refresh = 0.0  # time of the next screen update, on the monotonic clock
    clock = time.monotonic
    if step == 0 and training.reason is not None:
        raise RunError(f"a callback ended the run before its first step: {training.reason}")
    if step > 0:
        leave_branch(training)  # its checkpoint was saved, and the process killed before it could do this
    module.train()
    batches = feed(training)
    try:
        for taken, batch in enumerate(batches, 1):
            for group, base, factors in groups:
                group["lr"] = base * factors[step]
            loss: Any = loss_of(batch)
            if type(loss) is dict:
                loss = training.named(loss)
            if share != 1:
                loss = loss / share
            total += loss.detach()
            if not own:  # otherwise the task has taken the step
                (loss if scaler is None else scaler.scale(loss)).backward()
                if taken % k:
                    continue
                update(optimizer, parameters, clip=clip, scaler=scaler)
                optimizer.zero_grad()
            training.step = step = step + 1
            for hook in on_step:
                hook(training)
            if step % log_every == 0:
                report(later, writer)
                later = Later(training, on_log)
            if several:
                stop.agree(training)
            asked = stop.asked  # read once: a later signal is for the next step
            now = clock()
            if now >= refresh:
                refresh = now + 0.1
                screen.update(step)
            if step in (steps, due) or training.reason is not None:
                later = report(later, writer)
                validate(training, screen=screen, writer=writer)
                module.train()
                due = training.validates_after(step)
                asked = stop.asked  # this step has a checkpoint already
            elif asked or step in branches or (save_every is not None and step % save_every == 0):
                later = report(later, writer)
                keep(training, writer)
            if step in branches:
                leave_branch(training)
            if step == steps or training.reason is not None:
                break
            if training.pruned is not None:
                leave(training, writer)
                raise Pruned(training.pruned)
            if asked:
                leave(training, writer)
                raise Interrupted(f"stopped by {asked} after step {step} of {steps}")
    except BadExample:
        report(later, writer)
        if step not in (0, due, steps) and not several:  # otherwise the error came from a validation, which is repeated
            keep(training, writer)
            leave(training, writer)
        raise
    finally:
        close(batches)
    for hook in bind(training.hooks, "on_end"):
        hook(training)


def keep(training: Training, writer: Thread, *, best: bool = False) -> None:
    """Save a checkpoint after all earlier metrics; Diverged if a weight is not finite."""
    writer.flush()
    if not training.finite():
        raise Diverged(f"a weight is no finite number after step {training.step}")
    training.save(best=best)


def validate(training: Training, *, screen: Screen, writer: Thread) -> None:
    """Evaluate the validation split, call the hooks, and save; after the last step its log is written first."""
    last = training.step == training.steps or training.reason is not None
    sums = (training.total.clone(), dict(training.parts)) if last else None  # a run that goes on logs them later
    if last:
        report(rest(training), writer)
    own = evaluate(training, training.dataset.validation)
    metrics: Metrics = {"step": training.step, "epoch": training.epoch}
    metrics |= {f"validation/{name}": value for name, value in own.items()}
    for name, value in own.items():
        if not math.isfinite(value):
            raise Diverged(f"the validation {name} is {value} after step {training.step}")
    for rule in (training.rule, *training.rules.values()):
        if rule.observes:
            rule.observe(own["loss"])
    for hook in bind(training.hooks, "on_validation"):
        hook(training, metrics)
    training.reason = training.ranks.first_value(training.reason)
    if training.reason is not None and not last:
        report(rest(training), writer)
    best = training.ranks.broadcast(lambda: training.better(metrics))
    if best:
        training.best = dict(metrics)
    writer.put(metrics)
    if sums is not None:
        training.total.copy_(sums[0])
        training.parts.update(sums[1])
    keep(training, writer, best=best)
    where = f"epoch {training.epoch:g}, step {training.step}"
    screen.line(f"{where}: validation {listed(own)}{' (best)' if best else ''}")
    if training.reason is not None:
        screen.line(f"ends early: {training.reason}")
    elif not last:
        training.pruned = training.ranks.broadcast(lambda: _pruned(training, metrics))


def _pruned(training: Training, metrics: Metrics) -> str | None:
    """Tell the sweep of the run, if it has one, the metrics of a validation; return why it ends the run."""
    try:
        training.report(training.step, metrics)
    except Pruned as pruned:
        return str(pruned)
    return None
