"""A run of a language and the script of gpt.py, a block of steps each in turn."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from data import seed_of
from runs._training.order import order
from runs._training.state import Training
from runs.callbacks._hooks import Hooks
from tests.bench.gpt import Gpt, Script
from tests.bench.turns import TakesTurns, Turns


class WindowTurns(Turns):
    """After each block of the run's steps, as many of the script's. The last of a run's callbacks."""

    def build(self) -> Hooks:
        return _WindowTurns(block=self.block, counted=self.counted)


class _WindowTurns(TakesTurns):
    def begin(self, training: Training) -> Iterator[None]:
        run, split, body = training.run, training.dataset.train, training.objective.body
        first = body.blocks[0]
        gpt = Gpt(
            vocabulary=body.vocabulary,
            rows=body.tokens.num_embeddings,
            length=body.positions.num_embeddings,
            width=body.width,
            heads=first.attention.split[0],
            feed_forward=first.feed_forward[0].out_features,
            layers=len(body.blocks),
        )
        gpt.load_state_dict(body.state_dict())
        self.script, self.network = Script(gpt), torch.nn.ModuleDict({"body": gpt})
        return self.script.train(
            split.tokens.numbers,
            length=split.length,
            order=lambda epoch: order(run.seed, epoch, len(split)),
            start=lambda epoch: seed_of(run.seed, "start", epoch) % split.length,
            batch=training.batch,
            steps=training.steps,
        )

    def losses(self) -> list[float]:
        return [float(each) for each in self.script.losses]
