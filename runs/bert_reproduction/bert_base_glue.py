"""python train.py run=bert_reproduction/bert_base_glue data.path=TEXT benchmark.root=GLUE"""

from __future__ import annotations

from data import Data
from data.text.wikitext103 import Wikitext103
from data.tokenizer.wordpiece import Wordpiece
from models import Model
from models.encoder.bert_family.base import Base
from runs.benchmark import Benchmark
from runs.benchmark.nlu.glue import Glue
from runs.language import Language
from runs.optim import Optim
from runs.optim.adamw import AdamW
from runs.schedule import Schedule
from runs.schedule.trapezoid import Trapezoid
from runs.training import Training
from runs.training.classical import Classical


class BertBaseGlue(Language):
    """BERT's base size learns hidden tokens, and is then trained further on each of GLUE's nine tasks.

    The values are those of the paper (Devlin et al. 2019, appendix A.2) but for the text and the number of steps, and
    next sentences are not predicted. It has not been run to its end: there is no result to quote.
    """

    model: Model = Base()
    data: Data = Wikitext103(tokenizer=Wordpiece(size=30522), length=128)
    training: Training = Classical(max_steps=100_000, batch_size=256, learning_rate=1e-4, warmup=10_000)
    optim: Optim = AdamW(lr=1e-4, weight_decay=0.01, eps=1e-6)
    schedule: Schedule = Trapezoid(warmup=0.1, cooldown=0.9)
    benchmark: Benchmark | None = Glue(learning_rate=3e-5)
    validate_steps: int | None = 5000  # optimiser steps; given, it is what lies between validations
