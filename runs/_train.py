"""From a run to its score: make the parts, train, test, and leave a folder that tells all of it."""

from __future__ import annotations

import time
import traceback
from pathlib import Path
from typing import Any

import torch

from cn import CNError, Job, RunError, UserError, command
from cn.errors import lines
from runs import Run, _checkpoint, _folder
from runs._curves import draw
from runs._device import choose, place, prepare
from runs._loop import Interrupted, evaluate, fit
from runs._screen import Screen
from runs._stop import Stop
from runs._training import Training
from runs.callbacks._hooks import CallbackError, bind
from runs.logger._writer import JsonLines, Thread


def train(run: Run, job: Job) -> float:
    """Train, or go on training, or with mode=eval only test; returns the test accuracy of the best checkpoint.

    With `--from` and nothing changed, the run goes on in its own folder. With changes it is a new run.
    """
    changed = [text for text in job.overrides if not text.startswith("mode=")]
    if run.mode == "eval" and (job.source is None or changed):
        what = f"leave out {' '.join(changed)}" if changed else "write: --from FOLDER mode=eval"
        raise UserError(lines("mode=eval tests a run that has been trained, as it is", what))
    resumed = job.source is not None and not changed
    folder = Path(job.source) if resumed and job.source else _folder.create(run, job)
    with _folder.claimed(folder):
        if run.mode == "eval":
            return test(run, folder)
        _checkpoint.clean(folder)
        return _attempt(run, job, folder, resumed=resumed)


def test(run: Run, folder: Path) -> float:
    """The test accuracy of a folder's best checkpoint."""
    training = build(run, folder, print)
    training.module.load_state_dict(_checkpoint.load(folder / _checkpoint.BEST, training.device.device)["module"])
    loss, accuracy = evaluate(training, training.dataset.test)
    print(f"test loss {loss:.4f}, accuracy {accuracy:.4f}")
    return accuracy


def build(run: Run, folder: Path, say: Any) -> Training:
    """The parts of a run, new; the same seed makes the same parts."""
    dataset = run.data.build(seed=run.seed)
    batch = min(run.data.batch_size, len(dataset.train))
    per_epoch = len(dataset.train) // (batch * run.accumulate)
    if per_epoch == 0:
        raise UserError(
            lines(
                f"accumulate={run.accumulate}: {run.accumulate} batches of {batch} are more than the {len(dataset.train)} training images",
                f"nearest: accumulate={len(dataset.train) // batch}",
            )
        )
    steps = run.steps if run.steps is not None else run.epochs * per_epoch
    device = choose(run, steps=steps)
    prepare(run, device)
    module = place(run.network(inputs=dataset.inputs, classes=len(dataset.classes)), device)
    optimizer = run.optim.build(module)
    return Training(
        run=run,
        folder=folder,
        device=device,
        dataset=dataset.to(device.device),
        module=module,
        optimizer=optimizer,
        rule=run.schedule.build(steps=steps),
        hooks={name: callback.build() for name, callback in run.callbacks.items()},
        say=say,
        batch=batch,
        per_epoch=per_epoch,
        steps=steps,
        scaler=torch.amp.GradScaler(device.device.type) if device.scaled else None,
    )


def _attempt(run: Run, job: Job, folder: Path, *, resumed: bool) -> float:
    """One process's part of a run: whatever happens, the folder says what."""
    started = time.time()
    again = f"to go on: python {command.script} --from {folder}"
    summary: dict[str, Any] = {"state": "failed", "command": _folder.command_line(job)}
    if job.source is not None and not resumed:
        summary["source"] = str(job.source)
    try:
        result = _guarded(run, folder, summary, resumed=resumed)
        summary["state"] = "finished"
        return result
    except Interrupted as error:
        summary |= {"state": "interrupted", "reason": str(error)}
        stopped = Interrupted(lines(str(error), again))
        stopped.status = 130
        raise stopped from None
    except (CallbackError, RunError, torch.OutOfMemoryError, OSError, MemoryError, RuntimeError) as error:
        summary["reason"] = f"{type(error).__name__}: {error}"
        told = _told(error, run, folder)
        if told is None:
            _note(folder, traceback.format_exc())
            raise
        _note(folder, told)
        raise RunError(told) from error
    except BaseException as error:
        summary["reason"] = f"{type(error).__name__}: {error}"
        _note(folder, traceback.format_exc())
        raise
    finally:
        summary["seconds"] = round(time.time() - started, 3)
        _folder.write_json(folder / "summary.json", summary)
        draw(folder)


def _guarded(run: Run, folder: Path, summary: dict[str, Any], *, resumed: bool) -> float:
    with Stop() as stop:
        screen: Screen | None = None
        training = build(run, folder, lambda text: screen.line(text) if screen else print(text))
        if resumed and (folder / _checkpoint.LAST).exists():
            training.load_state_dict(_checkpoint.load(folder / _checkpoint.LAST, training.device.device))
        screen = Screen(folder, steps=training.steps, step=training.step)
        others = {name: logger.build(folder) for name, logger in run.logger.items()}
        writer = Thread(JsonLines(folder / "metrics.jsonl"), others, screen.note)
        summary |= {"parameters": training.parameters, "device": str(training.device), "steps": training.steps}
        try:
            screen.line(
                f"{type(run.model).__name__} on {type(run.data).__name__}: {training.parameters} parameters, "
                f"{len(training.dataset.train)} images, {training.steps} steps on {training.device}"
            )
            if training.step:
                screen.line(f"goes on after step {training.step}")
            for hook in bind(training.hooks, "on_start"):
                hook(training)
            writer.start(training.step)
            fit(training, screen=screen, writer=writer, stop=stop)
            training.module.load_state_dict(_checkpoint.load(folder / _checkpoint.BEST, training.device.device)["module"])
            loss, accuracy = evaluate(training, training.dataset.test)
            summary |= training.best | {"test/loss": loss, "test/accuracy": accuracy, "step": training.step}
            screen.line(f"test accuracy {accuracy:.4f} (loss {loss:.4f}), of the best validation, at step {training.best['step']:g}")
            screen.line(f"{folder}")
            return accuracy
        finally:
            writer.close()
            screen.close()


def _told(error: BaseException, run: Run, folder: Path) -> str | None:
    """What a failure of a known kind means and what to do; None for a defect in the code, whose traceback is wanted."""
    kept = (folder / _checkpoint.LAST).exists()
    again = f"to go on from the last checkpoint: python {command.script} --from {folder}" if kept else None
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "not enough memory" in str(error):
        half = max(1, run.data.batch_size // 2)
        same = f"the same gradients in less memory: data.batch_size={half} accumulate={run.accumulate * 2}"
        return lines("out of memory", same, f"the run is in {folder}", again)
    if isinstance(error, OSError):
        return lines(f"cannot write the run: {error}", f"the run is in {folder}", again)
    if isinstance(error, RunError) and "loss is" in str(error):
        lower = f"try a lower learning rate, clip=1, or precision=fp32; the last good checkpoint is in {folder}"
        return lines(str(error), lower if kept else "try a lower learning rate, clip=1, or precision=fp32", f"the run is in {folder}")
    if isinstance(error, (CNError, CallbackError)):
        return lines(*str(error).split("\n  "), f"the run is in {folder}", again)
    return None


def _note(folder: Path, text: str) -> None:
    try:
        with (folder / "log.txt").open("a") as log:
            log.write(text + "\n")
    except OSError:
        pass  # the disk is full, and that is what is being reported
