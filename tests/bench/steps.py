"""Python and C calls on the main thread in a training step, ours and those of a bare loop on the same parts.

`python -m tests.bench.steps KIND FOLDER` prints both, counted on a run that is written to FOLDER.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

from tests.bench.measure import Command
from tests.bench.table import Row, Setting, at_most
from tests.data.pictures import write

WORDS = ("callbacks=[early_stopping,model_summary,learning_rate]", "logger=csv")
SMALL = tuple(f"model.{each}" for each in ("d_model=16", "heads=2", "layers=2", "feed_forward=32", "vocabulary=null"))
TEXT = ("run=language", *SMALL, "model.length=16", "data.length=16", "training.batch_size=4", "training.max_steps=150")
KINDS: dict[str, tuple[str, ...]] = {  # what is trained on, for 150 steps or so
    "classify": ("epochs=1", "data.batch_size=8"),
    "regress": ("epochs=1", "task=regress", "data=diabetes", "model=linear", "data.batch_size=2"),
    "loaded": ("epochs=1", "data=folder", "data.size=8", "data.workers=1", "model=mlp", "data.batch_size=2"),
    "causal": (*TEXT, "model=decoder/gpt2_family/small", "validate_steps=150"),
    "masked": (*TEXT, "model=encoder/bert_family/tiny", "validate_steps=150"),
}
SKIPPED, COUNTED = 20, 100  # steps; the first do once what later ones find done, and no validation is near the rest


@dataclass(frozen=True)
class Calls:
    """Calls in a step, as a mean over `COUNTED` steps."""

    bare: float
    ours: float

    @property
    def above(self) -> float:
        return self.ours - self.bare


def count(folder: Path, kind: str = "classify") -> Calls:
    """Count both in a process of their own."""
    told = Command(("-m", "tests.bench.steps", kind, str(folder))).run().output
    return Calls(**json.loads(told.splitlines()[-1]))


def steps(setting: Setting) -> Iterator[Row]:
    calls = count(setting.folder / "run")
    note = f"{calls.ours:.2f}, bare {calls.bare:.2f}"
    yield at_most("calls a step above the bare loop, 3 callbacks, csv", calls.above, 10, unit="", note=note)
    for kind in ("regress", "loaded", "causal", "masked"):
        calls = count(setting.folder / kind, kind)
        note = f"{calls.ours:.2f}, bare {calls.bare:.2f}"
        yield at_most(f"the same, {kind}", calls.above, 15, unit="", note=note)


def _main(kind: str, folder: Path) -> None:
    import torch

    from cn import Job, compose
    from runs import Run
    from runs._train import build, train
    from runs._training import loop

    torch.set_num_threads(1)
    loop.time = SimpleNamespace(monotonic=lambda: 0.0)  # the screen is due by time, so more often where steps are slow
    words = [*WORDS, *KINDS[kind], f"folder={folder}"]
    if kind == "loaded":
        words.append(f"data.root={write(folder.with_name('pictures'), train=300, validation=8, test=8)}")
    run = compose(Run, words)
    ours = calls_a_step(lambda: train(run, Job()))
    training = build(run, folder, print)  # the same parts, new
    bare = calls_a_step(lambda: BARE[kind](training))
    print(json.dumps(asdict(Calls(bare, ours))))


def _bare_loop(training: Any) -> None:
    """One epoch as one would write it for this model, these images and this optimiser alone."""
    import torch
    import torch.nn.functional as F

    module, optimizer, split = training.module, training.optimizer, training.dataset.train
    images, labels, scale, shift = split.images, split.labels, split.scale, split.shift
    module.train()
    for index in torch.randperm(len(labels)).split(training.batch):
        logits = module(images[index].float().mul_(scale).add_(shift))
        loss = F.cross_entropy(logits, labels[index])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def _bare_rows(training: Any) -> None:
    """The same of rows of numbers, a linear model and the mean squared error."""
    import torch
    import torch.nn.functional as F

    module, optimizer, split = training.module, training.optimizer, training.dataset.train
    features, targets = split.features, split.targets
    module.train()
    for index in torch.randperm(len(targets)).split(training.batch):
        loss = F.mse_loss(module(features[index]), targets[index])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def _bare_loaded(training: Any) -> None:
    """The same over the run's own loader."""
    import torch
    import torch.nn.functional as F

    module, optimizer, split = training.module, training.optimizer, training.dataset.train
    module.train()
    for images, labels in split.batches([(0, torch.randperm(len(split)).split(training.batch))]):
        loss = F.cross_entropy(module(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def _windows(training: Any) -> Iterator[Any]:
    """Batches of windows of a text, from its tokens in NumPy: as many as are counted."""
    import numpy as np
    import torch

    split = training.dataset.train
    text, n = split.tokens.numbers, split.length
    within = np.arange(n + 1)
    for index in torch.randperm(len(split)).split(training.batch)[: SKIPPED + COUNTED + 1]:
        yield torch.from_numpy(text[index.numpy()[:, None] * n + within].astype(np.int64))


def _bare_causal(training: Any) -> None:
    """Steps of a decoder, with the logits of all tokens and a limit to the gradient."""
    import torch.nn.functional as F
    from torch import nn

    body, optimizer, weights = training.module.body, training.optimizer, list(training.module.parameters())
    body.train()
    for tokens in _windows(training):
        logits = body.logits(body(tokens[:, :-1]))
        loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()


def _bare_masked(training: Any) -> None:
    """The same of an encoder, with the logits of masked tokens; tokens are masked as the run does."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    body, optimizer, weights = training.module.body, training.optimizer, list(training.module.parameters())
    corruption = training.objective.corruption
    body.train()
    for windows in _windows(training):
        tokens = windows[:, :-1]
        seen, at = corruption(tokens, torch.rand(3, *tokens.shape))
        hidden = body(seen)
        hidden = hidden.gather(1, at[..., None].expand(-1, -1, hidden.shape[-1]))
        loss = F.cross_entropy(body.logits(hidden).flatten(0, 1), tokens.gather(1, at).flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()


BARE: dict[str, Callable[[Any], None]] = {
    "classify": _bare_loop,
    "regress": _bare_rows,
    "loaded": _bare_loaded,
    "causal": _bare_causal,
    "masked": _bare_masked,
}


def calls_a_step(loop: Callable[[], object]) -> float:
    """The mean of the calls between one backward pass and the next."""
    import torch

    backward = torch.Tensor.backward.__code__
    calls = 0
    marks: list[int] = []  # calls made before each backward pass

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        if event == "call" or event == "c_call":
            calls += 1
            if event == "call" and frame.f_code is backward:
                marks.append(calls)

    sys.setprofile(note)
    try:
        loop()
    finally:
        sys.setprofile(None)
    return (marks[SKIPPED + COUNTED] - marks[SKIPPED]) / COUNTED


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
