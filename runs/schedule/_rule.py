"""The learning rate factors of a run, as the training loop uses them."""

from __future__ import annotations

from collections.abc import Mapping

from cn import UserError


class Rule:
    """The factor of each step of one run; in this class all are known before the run begins.

    `factors` stays the same list object, so a loop may keep a reference and set the rates of a step without a call:

        for group, base in zip(optimizer.param_groups, bases): group["lr"] = base * factors[step]
    """

    observes: bool = False  # whether it receives the validation loss and may change the factors

    def __init__(self, factors: list[float]) -> None:
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
