"""The learning rate factors of a run, as the training loop uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from cn import UserError

BLOCK = 1024  # steps whose factors are computed together


class Factors(dict[int, float]):
    """The factor of each step, computed in blocks as the steps come: a run of a million steps begins at once.

    The dict holds one block, so that Python code runs once in a block; iteration gives the factors of all steps. The
    last block and the first are computed at once, so that an invalid schedule is refused before the run.
    """

    def __init__(self, factor: Callable[[int], float], steps: int) -> None:
        super().__init__()
        self.factor, self.steps = factor, range(steps)
        for step in (steps - 1, 0) if steps else ():
            self[step]

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[float]:  # type: ignore[override]
        return map(self.__getitem__, self.steps)

    def __missing__(self, step: int) -> float:
        start = self.steps[step] // BLOCK * BLOCK
        block = self.steps[start : start + BLOCK]
        self.clear()
        self.update(zip(block, map(self.factor, block), strict=True))
        return self[self.steps[step]]


class Rule:
    """The factor of each step of one run; in this class, no factor depends on the validation loss.

    `factors` stays the same object, so a loop may keep a reference to it:

        for group, base in zip(optimizer.param_groups, bases): group["lr"] = base * factors[step]
    """

    observes: bool = False  # whether it receives the validation loss and may change the factors

    def __init__(self, factors: Factors) -> None:
        self.factors = factors

    def observe(self, validation_loss: float) -> None:
        """Called after each validation if `observes`; may change the factors of later steps."""

    def state_dict(self) -> dict[str, float]:
        """Return the state of `observe` for a checkpoint."""
        return {}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore the state from `state_dict`; UserError if it is from another schedule."""
        self._refuse_foreign(state)

    def _refuse_foreign(self, state: Mapping[str, float]) -> None:
        own, given = sorted(self.state_dict()), sorted(state)
        if own != given:
            raise UserError(
                f"the checkpoint's schedule remembers {', '.join(given) or 'nothing'} and this "
                f"run's {', '.join(own) or 'nothing'}: resume with the schedule it was trained with"
            )
