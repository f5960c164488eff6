"""The smallest table that comes with scikit-learn: three numbers to predict at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data import Table, rest

if TYPE_CHECKING:
    from data import Dataset


class Linnerud(Table):
    """20 men of a fitness club: exercises (chins, situps, jumps), and weight, waist and pulse (Tenenhaus 1998)."""

    batch_size: int = 8  # examples a step

    def examples(self) -> int:
        return rest(20, self.validation, self.test)

    def build(self, *, seed: int) -> Dataset:
        from data._table import read_linnerud

        return self.assemble(*read_linnerud(), targets=("weight", "waist", "pulse"), seed=seed)
