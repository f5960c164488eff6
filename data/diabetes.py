"""A table of numbers that comes with scikit-learn, with one number to predict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data import Table, rest

if TYPE_CHECKING:
    from data import Dataset


class Diabetes(Table):
    """442 patients: ten measurements, and how their diabetes progressed in a year (Efron et al. 2004)."""

    def examples(self) -> int:
        return rest(442, self.validation, self.test)

    def build(self, *, seed: int) -> Dataset:
        from data._table import read_diabetes

        return self.assemble(*read_diabetes(), targets=("progression",), seed=seed)
