"""A sweep: one run, and what is varied in it. A file of sweeps/ is one: `python -m cn sweeps submit vit_lr`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

from annotated_types import Ge

from cn.errors import lines
from cn.launching.launch import Launch
from cn.launching.launch.local import Local
from cn.nodes.derived import derive
from cn.nodes.node import CN
from cn.nodes.notes import Neutral
from cn.run_folder.where import field_of, names
from cn.sweeping.axes import Axes
from cn.sweeping.goal import Goal, of_run
from cn.sweeping.prune import Prune
from cn.sweeping.search import Search
from cn.sweeping.search_space import Space

NEEDED = {  # a subclass may declare that these may be null, and they may not
    "base": "Run = Default()",
    "axes": 'Axes = grid({"seed": [1, 2]})',
    "launch": "Launch = Local()",
}


class Sweep(CN):
    """The base class of sweeps. A subclass may also drop points, derive values, and set resources of single trials.

    A subclass declares its base again, with the project's own class of runs: `base: Run = Default()`.
    """

    if TYPE_CHECKING:
        base: Any  # so that a subclass may declare its own class of runs
    else:
        base: CN
    axes: Axes = Axes()
    goal: Goal | None = derive(lambda sweep: of_run(sweep.base))  # which trial is the best; null: as the base says
    search: Annotated[Search | None, Neutral()] = None  # how points are drawn, if the axes are a space
    prune: Annotated[Prune | None, Neutral()] = None  # which trials of a search end early
    launch: Launch = Local()
    give_up: Annotated[int, Ge(1)] | None = 3  # trials that fail alike before no other is started; null: never
    folder: Path | None = None  # of the sweep; null: outputs/sweeps/NAME

    _function_: ClassVar[str] = "train:train"  # called with each trial's run: the function `train` of train.py
    _runs_: ClassVar[tuple[str, ...]] = ("base",)  # fields that hold a whole run
    _makes_folder_: ClassVar[bool] = False  # whether it makes the run's folder itself: main(train, folder=False)

    def check(self) -> None:
        for name, written in NEEDED.items():
            if getattr(self, name) is None:
                raise ValueError(lines(f"{name} is null, and every sweep needs it", f"write: {name}: {written}"))
        self._refuse_where()
        if self.launch.is_waited_for and not self.launch.is_here:
            what = "launch.wait makes train.py wait for its jobs, and a sweep is waited for with `status -w`"
            raise ValueError(f"{what}; write: launch.wait=false")
        drawn = isinstance(self.axes, Space)
        if drawn and self.search is None:
            raise ValueError("axes is a space, and search is null; write: search: Search = Tpe(trials=25)")
        if isinstance(self.axes, Space) and self.search is not None:
            for number, each in enumerate(self.search.first):
                if (why := self.axes.refusal(each)) is not None:
                    raise ValueError(f"search.first[{number}] is no point of axes: {why}")
            if self.search.race is not None and len(self.axes.points) == 1:
                what = "search.race leaves out further seeds of a point, and each point is measured once"
                raise ValueError(f"{what}; write: axes: Axes = space({{...}}) * seeds(3)")
        if not drawn and self.search is not None:
            what = "search draws points out of a space, and axes has points of its own"
            raise ValueError(f'{what}; write: axes: Axes = space({{"optim.lr": log_uniform(1e-5, 1e-3)}})')
        if self.goal is not None and self.search is not None:
            self.search.check_goal(self.goal)
        if self.goal is not None and self.goal.others and self.prune is not None:
            raise ValueError(f"prune follows one goal, and {self.goal.counted()}; write: prune=null")
        if self.prune is not None and not drawn:
            raise ValueError("prune ends trials of a search, and search is null; write: prune=null")
        if drawn and type(self).resources is not Sweep.resources:
            raise ValueError("resources() gives trials jobs of their own, and the workers of a search share one launch")

    def _refuse_where(self) -> None:
        """Refuse axes of fields that the sweep itself sets for each trial."""
        for key in self._varied_():
            if (why := self._without_effect_(key)) is not None:
                raise ValueError(f"the axis {key} {why}")

    def _without_effect_(self, key: str) -> str | None:
        """Return why a value that is set for each trial is none of the trial's; None if it is."""
        here = names(type(cast("CN", self.base)))
        if field_of(key) == "launch" and "launch" in here:
            what = "has no effect: the launch of the sweep says where its trials run"
            own = "for a launch of single trials: def resources(self, trial: Any) -> Launch"
            return lines(what, "write: launch: Launch = Local()", own)
        if field_of(key) == "folder" and "folder" in here:
            return lines("makes no other run: each trial has its own folder in that of the sweep", "leave it out")
        return None

    def _varied_(self) -> list[str]:
        """Return the keys that the axes set. If they set `patches`, the class of the base applies none."""
        axes = cast("Axes | None", self.axes)  # null is refused by `check`, which comes later
        if axes is None:
            return []
        return [*axes.names(), *(axes.keys() if isinstance(axes, Space) else ())]

    def keep(self, trial: Any) -> bool:
        """Return whether the trial belongs to the sweep."""
        return True

    def derive(self, trial: Any) -> dict[str, Any]:
        """Return further values by key, computed from the trial."""
        return {}

    def resources(self, trial: Any) -> Launch:
        """Return the launch of a trial's job."""
        return self.launch
