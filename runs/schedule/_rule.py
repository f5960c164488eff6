"""What a training loop holds of its schedule."""

from __future__ import annotations

from collections.abc import Mapping

from cn import UserError


class Rule:
    """The factors of one run, a step each; this one is known in full before the run begins.

    `factors` stays the same list for as long as the rule lives, so a loop may keep hold of it and
    set the rates of a step without one call:

        for group, base in zip(optimizer.param_groups, bases): group["lr"] = base * factors[step]
    """

    observes: bool = False  # whether it is told the validation loss, and may change the factors by it

    def __init__(self, factors: list[float]) -> None:
        self.factors = factors

    def observe(self, validation_loss: float) -> None:
        """Called after each validation where `observes`; may change the factors of the steps still to come."""

    def state_dict(self) -> dict[str, float]:
        """What `observe` has learnt, for a checkpoint."""
        return {}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Takes up where `state_dict` was called."""
        self._refuse_foreign(state)

    def _refuse_foreign(self, state: Mapping[str, float]) -> None:
        own, given = sorted(self.state_dict()), sorted(state)
        if own != given:
            raise UserError(
                f"the checkpoint's schedule remembers {', '.join(given) or 'nothing'} and this "
                f"run's {', '.join(own) or 'nothing'}: resume with the schedule it was trained with"
            )
