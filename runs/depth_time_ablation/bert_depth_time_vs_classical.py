"""python train.py run=depth_time_ablation/bert_depth_time_vs_classical -m training=classical,depth_time,hybrid"""

from __future__ import annotations

from typing import Literal

from data import Data
from data.text.python import Python
from data.tokenizer.wordpiece import Wordpiece
from models import Model
from models.encoder.bert_family.tiny import Tiny
from runs.benchmark import Benchmark
from runs.benchmark.nlu.glue import Glue
from runs.language import Language


class BertDepthTimeVsClassical(Language):
    """Ways of training a BERT for the same operations, compared by what each comes to on tasks of GLUE."""

    model: Model = Tiny(vocabulary=8192)
    data: Data = Python(tokenizer=Wordpiece(size=8192))
    budget: Literal["steps", "flops"] = "flops"  # training.max_steps are steps, or operations of as many classical ones
    benchmark: Benchmark | None = Glue(tasks=["cola", "rte"])
