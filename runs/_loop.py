"""The loop. It knows no model, data set, optimiser or schedule by name.

b images in a batch, c h w their channels, height and width, k classes. One `step` is one optimiser step, on
`accumulate` batches. Nothing in a step waits for the device: losses add up there and are read one log later.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from cn import RunError
from data._images import Split
from runs._device import send
from runs._forward import forward
from runs._order import order
from runs._training import Training
from runs.callbacks._hooks import bind

if TYPE_CHECKING:
    from runs._screen import Screen
    from runs._stop import Stop
    from runs.logger._thread import Thread

Metrics = dict[str, float]


class Interrupted(RunError):  # noqa: N818
    """The run was asked to end, and has saved where it was."""


class Diverged(RunError):  # noqa: N818
    """A loss or a weight is no finite number any more; the checkpoint before is good."""


def fit(training: Training, *, screen: Screen, writer: Thread, stop: Stop) -> None:
    """Train to the last step, from wherever `training` is, with a checkpoint after each validation."""
    run, split, optimizer = training.run, training.dataset.train, training.optimizer
    module, total, scaler, ranks = training.module, training.total, training.scaler, training.ranks
    loss_of = forward(training)
    groups = list(zip(optimizer.param_groups, training.bases, strict=True))
    factors, parameters = training.rule.factors, list(module.parameters())
    on_step, on_log = bind(training.hooks, "on_step"), bind(training.hooks, "on_log")
    several = ranks.size > 1
    k, log_every, save_every, clip = run.accumulate, run.log_every, run.save_every, run.clip
    step, steps, per_epoch = training.step, training.steps, training.per_epoch
    own = len(range(ranks.rank, training.batch, ranks.size))  # images of a batch that are this process's
    share = k * training.batch / (own * ranks.size)  # by which its mean loss is divided, to add up to that of a step
    between = per_epoch * run.validate_every  # validations, in steps
    later: Later | None = None
    refresh = 0.0  # when the screen is due, in seconds of the monotonic clock
    clock = time.monotonic
    if step == 0 and training.reason is not None:
        raise RunError(f"a callback ended the run before its first step: {training.reason}")
    module.train()
    while step < steps and training.reason is None:
        epoch, start = divmod(step, per_epoch)
        index = send(order(run.seed, epoch, len(split)), training.device.device)
        batches = [batch[ranks.rank :: ranks.size] for batch in index.split(training.batch)]
        end = min(per_epoch, start + steps - step)
        for position in range(start, end):
            factor = factors[step]
            for group, base in groups:
                group["lr"] = base * factor
            for batch in batches[position * k : position * k + k]:
                images, labels = split.batch(batch)  # b c h w, b
                loss = loss_of(images, labels)
                if share != 1:
                    loss = loss / share
                (loss if scaler is None else scaler.scale(loss)).backward()
                total += loss.detach()
            if clip is not None:
                if scaler is not None:
                    scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(parameters, clip)
            if scaler is None:
                optimizer.step()
            else:
                scaler.step(optimizer)
                scaler.update()
            optimizer.zero_grad()
            training.step = step = step + 1
            for hook in on_step:
                hook(training)
            if step % log_every == 0:
                report(later, writer)
                later = Later(training, on_log)
            if several:
                stop.agree(training)
            asked = stop.asked  # looked at once: a signal that comes from here on is for the next step
            now = clock()
            if now >= refresh:
                refresh = now + 0.1
                screen.update(step)
            if step == steps or step % between == 0 or training.reason is not None:
                later = report(later, writer)
                validate(training, screen=screen, writer=writer)
                module.train()
                asked = stop.asked  # this step has been saved
            elif asked or (save_every is not None and step % save_every == 0):
                later = report(later, writer)
                keep(training, writer)
            if step == steps or training.reason is not None:
                break
            if asked:
                raise Interrupted(f"stopped by {asked} after step {step} of {steps}")
    for hook in bind(training.hooks, "on_end"):
        hook(training)


class Later:
    """The metrics of the steps up to one log, whose mean loss is on its way from the device."""

    def __init__(self, training: Training, on_log: list[Callable[..., None]]) -> None:
        self.training, total = training, training.total
        mean = total / training.run.log_every
        if training.ranks.size > 1:
            training.ranks.mean(mean)
        self.loss = mean.to("cpu", non_blocking=True)
        self.ready = torch.cuda.Event() if total.is_cuda else None
        if self.ready is not None:
            self.ready.record()
        total.zero_()
        self.metrics: Metrics = {"step": training.step, "epoch": training.epoch}
        for hook in on_log:
            hook(training, self.metrics)

    def read(self) -> Metrics:
        if self.ready is not None:
            self.ready.synchronize()
        step, loss = self.metrics.pop("step"), float(self.loss)
        if not math.isfinite(loss):
            raise Diverged(f"the loss is {loss} in the steps up to {step}")
        self.training.loss = loss
        return {"step": step, "epoch": self.metrics.pop("epoch"), "train/loss": loss, **self.metrics}


def report(later: Later | None, writer: Thread) -> None:
    """Write the metrics of a log that was taken before; Diverged if the loss is no number any more."""
    if later is not None:
        writer.put(later.read())


def keep(training: Training, writer: Thread, *, best: bool = False) -> None:
    """A checkpoint, once all metrics up to it are written; Diverged if there is nothing worth keeping."""
    writer.flush()
    if not training.finite():
        raise Diverged(f"a weight is no finite number after step {training.step}")
    training.save(best=best)


def validate(training: Training, *, screen: Screen, writer: Thread) -> None:
    """Measure on the validation split, tell everyone, and save."""
    loss, accuracy = evaluate(training, training.dataset.validation)
    metrics: Metrics = {
        "step": training.step,
        "epoch": training.epoch,
        "validation/loss": loss,
        "validation/accuracy": accuracy,
    }
    if not math.isfinite(loss):
        raise Diverged(f"the validation loss is {loss} after step {training.step}")
    training.rule.observe(loss)
    for hook in bind(training.hooks, "on_validation"):
        hook(training, metrics)
    training.reason = training.ranks.any(training.reason)
    best = training.ranks.told(lambda: training.better(metrics))
    if best:
        training.best = dict(metrics)
    writer.put(metrics)
    keep(training, writer, best=best)
    screen.line(
        f"epoch {training.epoch:g}, step {training.step}: "
        f"validation loss {loss:.4f}, accuracy {accuracy:.4f}{' (best)' if best else ''}"
    )
    if training.reason is not None:
        screen.line(f"ends early: {training.reason}")


@torch.no_grad()
def evaluate(training: Training, split: Split) -> tuple[float, float]:
    """Mean cross entropy and accuracy over a split, both in fp64 sums, read once."""
    training.evaluated.eval()
    device, ranks = training.device.device, training.ranks
    ranks.share(training.evaluated, buffers=True)  # each has statistics of its own, and the first one's are kept
    loss, right = sums = torch.zeros(2, dtype=torch.float64, device=device)
    for part in torch.arange(len(split), device=device).split(max(training.batch, 500) * ranks.size):
        own = part[ranks.rank :: ranks.size]
        images, labels = split.batch(own if len(own) else part[:1])
        logits = training.logits(images)[: len(own)]  # b k; as many passes in each, where they need each other for one
        labels = labels[: len(own)]
        loss += F.cross_entropy(logits.float(), labels, reduction="sum")
        right += (logits.argmax(dim=1) == labels).sum()
    loss, right = (ranks.total(sums) / len(split)).tolist()
    return loss, right
