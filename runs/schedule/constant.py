"""One rate for the whole run."""

from runs.schedule import Schedule


class Constant(Schedule):
    """The base rate at every step."""

    def factor(self, step: int, steps: int) -> float:
        return 1.0
