"""python train.py run=language training=hybrid"""

from __future__ import annotations

from runs.training.depth_time import DepthTime


class Hybrid(DepthTime):
    """Everything learns at once first, and then block by block."""

    classical: float = 0.5  # fraction of max_steps in which everything learns first
