"""Warm-up, then half a period of a cosine."""

from math import cos, pi

from runs.schedule import Length, Schedule, Share
from runs.schedule._length import in_steps


class Cosine(Schedule):
    """Straight up, then down a cosine (Loshchilov and Hutter 2017, arXiv:1608.03983)."""

    warmup: Length = 0.05  # int: optimiser steps; float: share of all steps
    floor: Share = 0.0  # share of the base rate that it ends at

    def factor(self, step: int, steps: int) -> float:
        warmup = in_steps("warmup", self.warmup, steps)
        if step < warmup:
            return (step + 1) / (warmup + 1)
        done = (step - warmup) / (steps - warmup)
        return self.floor + (1 - self.floor) * (1 + cos(pi * done)) / 2
