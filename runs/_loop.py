"""The loop. It knows no model, data set, optimiser or schedule by name.

b images in a batch, c h w their channels, height and width, k classes. One `step` is one optimiser step, on
`accumulate` batches. Nothing in a step waits for the device: losses add up there and are read one log later.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cn import RunError
from data._images import Split
from runs import _checkpoint
from runs._order import order
from runs._training import Training
from runs.callbacks._hooks import bind

if TYPE_CHECKING:
    from runs._screen import Screen
    from runs._stop import Stop
    from runs.logger._writer import Thread

Metrics = dict[str, float]


class Interrupted(RunError):  # noqa: N818
    """The run was asked to end, and has saved where it was."""


class Diverged(RunError):  # noqa: N818
    """A loss or a weight is no finite number any more; the checkpoint before is good."""


def fit(training: Training, *, screen: Screen, writer: Thread, stop: Stop) -> None:
    """Train to the last step, from wherever `training` is, with a checkpoint after each validation."""
    run, split, optimizer = training.run, training.dataset.train, training.optimizer
    module, total, scaler = training.module, training.total, training.scaler
    loss_of = forward(training)
    groups = list(zip(optimizer.param_groups, training.bases, strict=True))
    factors, parameters = training.rule.factors, list(module.parameters())
    on_step, on_log = bind(training.hooks, "on_step"), bind(training.hooks, "on_log")
    k, log_every, save_every = run.accumulate, run.log_every, run.save_every
    step, steps, per_epoch = training.step, training.steps, training.per_epoch
    between = per_epoch * run.validate_every  # validations, in steps
    later: Later | None = None
    refresh = 0.0  # when the screen is due, in seconds of the monotonic clock
    clock = time.monotonic
    module.train()
    while step < steps and training.reason is None:
        epoch, start = divmod(step, per_epoch)
        index = order(run.seed, epoch, len(split)).to(training.device.device)
        batches = index.split(training.batch)
        end = min(per_epoch, start + steps - step)
        for position in range(start, end):
            factor = factors[step]
            for group, base in groups:
                group["lr"] = base * factor
            for batch in batches[position * k : position * k + k]:
                images, labels = split.batch(batch)  # b c h w, b
                loss = loss_of(images, labels)
                if k > 1:
                    loss = loss / k
                (loss if scaler is None else scaler.scale(loss)).backward()
                total += loss.detach()
            if run.clip is not None:
                if scaler is not None:
                    scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(parameters, run.clip)
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
            now = clock()
            if now >= refresh:
                refresh = now + 0.1
                screen.update(step)
            if step == steps or step % between == 0 or training.reason is not None:
                later = report(later, writer)
                validate(training, screen=screen, writer=writer)
                module.train()
            elif stop.asked or (save_every is not None and step % save_every == 0):
                later = report(later, writer)
                keep(training, writer)
            if step == steps or training.reason is not None:
                break
            if stop.asked:
                raise Interrupted(f"stopped by {stop.asked} after step {step} of {steps}")
    for hook in bind(training.hooks, "on_end"):
        hook(training)


class Later:
    """The metrics of the steps up to one log, whose mean loss is on its way from the device."""

    def __init__(self, training: Training, on_log: list[Callable[..., None]]) -> None:
        total = training.total
        self.loss = (total / training.run.log_every).to("cpu", non_blocking=True)
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
        return {"step": step, "epoch": self.metrics.pop("epoch"), "train/loss": loss, **self.metrics}


def report(later: Later | None, writer: Thread) -> None:
    """Write the metrics of a log that was taken before; Diverged if the loss is no number any more."""
    if later is not None:
        writer.put(later.read())


def keep(training: Training, writer: Thread, *, best: bool = False) -> None:
    """A checkpoint, once all metrics up to it are written; Diverged if there is nothing worth keeping."""
    writer.flush()
    if not all(bool(each.isfinite().all()) for each in training.module.parameters()):
        raise Diverged(f"a weight is no finite number after step {training.step}")
    _checkpoint.save(training.folder, training.state_dict(), best=best, keep=training.kept)
    training.kept = False


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
    best = not training.best or training.rank(metrics) > training.rank(training.best)
    if best:
        training.best = dict(metrics)
    training.rule.observe(loss)
    for hook in bind(training.hooks, "on_validation"):
        hook(training, metrics)
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
    device = training.device.device
    loss, right = (torch.zeros((), dtype=torch.float64, device=device) for _ in range(2))
    for batch in torch.arange(len(split), device=device).split(max(training.batch, 500)):
        images, labels = split.batch(batch)
        logits = training.logits(images)  # b k
        loss += F.cross_entropy(logits.float(), labels, reduction="sum")
        right += (logits.argmax(dim=1) == labels).sum()
    return float(loss / len(split)), float(right / len(split))


def forward(training: Training) -> Callable[[Tensor, Tensor], Tensor]:
    """From images `b c h w` and labels `b` to the loss: compiled and in lower precision where the run has it so."""
    network: Any = torch.compile(training.module) if training.device.compiled else training.module
    criterion = training.run.loss()

    def loss_of(images: Tensor, labels: Tensor) -> Tensor:
        return criterion(network(images), labels)

    if training.device.autocast is None:
        return loss_of
    return torch.autocast(training.device.device.type, training.device.autocast)(loss_of)
