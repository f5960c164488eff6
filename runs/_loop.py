"""The loop. It knows no model, data set, optimiser or schedule by name.

b images in a batch, c h w their channels, height and width, k classes. One `step` is one optimiser step, on
`accumulate` batches. Nothing in a step waits for the device: losses add up there and are read one log later.
"""

from __future__ import annotations

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


class Interrupted(RunError):
    """The run was asked to end, and has saved where it was."""


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
                report(later, training, on_log, writer)
                later = Later(step, total, log_every)
            now = clock()
            if now >= refresh:
                refresh = now + 0.1
                screen.update(step)
            if stop.asked or (save_every is not None and step % save_every == 0 and position + 1 < per_epoch):
                later = report(later, training, on_log, writer)
                writer.flush()
                _checkpoint.save(training.folder, training.state_dict(), best=False)
                if stop.asked:
                    raise Interrupted(f"stopped by {stop.asked} after step {step} of {steps}")
        done = step // per_epoch if step % per_epoch == 0 else 0
        if step == steps or (done and done % run.validate_every == 0):
            later = report(later, training, on_log, writer)
            validate(training, screen=screen, writer=writer)
            module.train()
    for hook in bind(training.hooks, "on_end"):
        hook(training)


class Later:
    """The mean loss of the steps up to one log, on its way from the device."""

    def __init__(self, step: int, total: Tensor, steps: int) -> None:
        self.step = step
        self.loss = (total / steps).to("cpu", non_blocking=True)
        self.ready = torch.cuda.Event() if total.is_cuda else None
        if self.ready is not None:
            self.ready.record()
        total.zero_()

    def read(self) -> float:
        if self.ready is not None:
            self.ready.synchronize()
        return float(self.loss)


def report(later: Later | None, training: Training, on_log: list[Callable[..., None]], writer: Thread) -> None:
    """Write the metrics of a log that was taken before; RunError if the loss is no number any more."""
    if later is None:
        return
    loss = later.read()
    if loss != loss or loss in (float("inf"), float("-inf")):
        raise RunError(f"the loss is {loss} in the steps up to {later.step}")
    metrics: Metrics = {"step": later.step, "epoch": later.step / training.per_epoch, "train/loss": loss}
    for hook in on_log:
        hook(training, metrics)
    writer.put(metrics)


def validate(training: Training, *, screen: Screen, writer: Thread) -> None:
    """Measure on the validation split, tell everyone, and save."""
    loss, accuracy = evaluate(training, training.dataset.validation)
    metrics: Metrics = {"step": training.step, "epoch": training.epoch, "validation/loss": loss, "validation/accuracy": accuracy}
    if loss != loss:
        raise RunError(f"the validation loss is nan after step {training.step}")
    best = not training.best or (accuracy, -loss) > (training.best["validation/accuracy"], -training.best["validation/loss"])
    if best:
        training.best = dict(metrics)
    training.rule.observe(loss)
    for hook in bind(training.hooks, "on_validation"):
        hook(training, metrics)
    writer.put(metrics)
    writer.flush()
    _checkpoint.save(training.folder, training.state_dict(), best=best)
    screen.line(
        f"epoch {training.epoch:g}, step {training.step}: validation loss {loss:.4f}, accuracy {accuracy:.4f}{' (best)' if best else ''}"
    )
    if training.reason is not None:
        screen.line(f"ends early: {training.reason}")


@torch.no_grad()
def evaluate(training: Training, split: Split) -> tuple[float, float]:
    """Mean cross entropy and accuracy over a split, both in fp64 sums, read once."""
    training.module.eval()
    device = training.device.device
    loss, right = (torch.zeros((), dtype=torch.float64, device=device) for _ in range(2))
    for batch in torch.arange(len(split), device=device).split(max(training.batch, 500)):
        images, labels = split.batch(batch)
        with torch.autocast(device.type, training.device.autocast, enabled=training.device.autocast is not None):
            logits = training.module(images)  # b k
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
