"""A small tree of nodes whose program takes Hydra's options."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[3]
TREE = {
    "models/__init__.py": """
        from abc import abstractmethod
        from cn import CN
        class Model(CN):
            @abstractmethod
            def build(self): ...
    """,
    "models/head/__init__.py": """
        from cn import CN
        class Head(CN):
            pass
    """,
    "models/head/mean.py": """
        from models.head import Head
        class Mean(Head):
            pass
    """,
    "models/head/conv.py": """
        from models.head import Head
        class Conv(Head):
            width: int = 3
    """,
    "models/vit.py": """
        import enum
        from pathlib import Path
        from typing import Literal
        from models import Model
        from models.head import Head
        from models.head.mean import Mean
        class Colour(enum.Enum):
            RED = 1
            BLUE = 2
        class ViT(Model):
            dim: int = 192
            rate: float = 1
            act: Literal["relu", "gelu", 3] = "gelu"
            size: tuple[int, int] = (32, 16)
            root: Path = Path("here")
            colour: Colour = Colour.RED
            drop: float | None = None
            names: list[str] = ["a", "b"]
            table: dict[str, int] = {"x": 1}
            either: int | str = "text"
            pattern: str = "${not} an \\\\${interpolation}"
            head: Head = Mean()
            def build(self): ...
        class Small(ViT):
            dim: int = 384
    """,
    "models/mlp.py": """
        from models import Model
        class Mlp(Model):
            dim: int = 8
            def build(self): ...
    """,
    "models/both.py": """
        from models import Model
        from models.vit import ViT
        class Both(Model):
            first: Model = ViT(dim=7)
            second: Model | None = None
            def build(self): ...
    """,
    "models/base.py": """
        from models import Model
        class Base(Model):
            pass
    """,
    "runs/__init__.py": """
        from cn import CN, RunError, derive
        from models import Model
        from models.mlp import Mlp
        from runs.callbacks import Callback
        from runs.optim import Optim
        from runs.optim.ratio import Ratio
        class Run(CN):
            model: Model = Mlp()
            teacher: Model | None = None
            optim: Optim = Ratio()
            callbacks: dict[str, Callback] = {}
            seed: int = 1
            steps: int = 100
            warmup: int = derive(lambda run: run.steps // 20)
    """,
    "runs/optim/__init__.py": """
        from cn import CN
        class Optim(CN):
            pass
    """,
    "runs/optim/ratio.py": """
        from runs.optim import Optim
        class Ratio(Optim):
            _target_: str = "fractions.Fraction"
            numerator: int = 3
            denominator: int = 4
    """,
    "runs/callbacks/__init__.py": """
        from cn import CN
        class Callback(CN):
            every: int = 1
    """,
    "runs/callbacks/when/__init__.py": """
        from cn import CN
        class When(CN):
            pass
    """,
    "runs/callbacks/when/always.py": """
        from runs.callbacks.when import When
        class Always(When):
            pass
    """,
    "runs/callbacks/when/never.py": """
        from runs.callbacks.when import When
        class Never(When):
            why: str = "because"
    """,
    "runs/callbacks/checkpoint.py": """
        from runs.callbacks import Callback
        from runs.callbacks.when import When
        from runs.callbacks.when.always import Always
        class Checkpoint(Callback):
            when: When = Always()
        class Fast(Checkpoint):
            every: int = 9
    """,
    "runs/callbacks/stop.py": """
        from runs.callbacks import Callback
        class Stop(Callback):
            patience: int = 5
    """,
    "runs/default.py": """
        from runs import Run
        class Default(Run):
            pass
    """,
    "runs/other.py": """
        from models import Model
        from models.vit import ViT
        from runs import Run
        class Other(Run):
            model: Model = ViT()
            seed: int = 2
    """,
    "runs/preset.py": """
        from models import Model
        from models.head.conv import Conv
        from models.vit import Small, ViT
        from runs import Run
        from runs.callbacks import Callback
        from runs.callbacks.checkpoint import Checkpoint
        from runs.callbacks.stop import Stop
        from runs.callbacks.when.never import Never
        class Preset(Run):
            model: Model = ViT(dim=96, head=Conv(width=5))
            teacher: Model | None = Small()
            callbacks: dict[str, Callback] = {
                "checkpoint": Checkpoint(every=2, when=Never(why="late")), "stop": Stop(), "mine": Stop()
            }
    """,
    "runs/nested/deep.py": """
        from models import Model
        from models.both import Both
        from models.mlp import Mlp
        from runs import Run
        class Deep(Run):
            model: Model = Both(second=Mlp(dim=5))
    """,
    "train.py": """
        from cn import Job, RunError, main
        from runs import Run
        def train(run: Run, job: Job) -> float:
            if run.steps == 13:
                raise RunError("13 steps are too few\\n  see: the log")
            if run.steps == 14:
                raise ValueError("a bug")
            print(type(run).__name__, run.seed, job.folder, *job.overrides)
            return float(run.seed)
        if __name__ == "__main__":
            main(train, folder=False)
    """,
}


def plant(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        lines = text.strip("\n").splitlines()
        indent = len(lines[0]) - len(lines[0].lstrip())
        (folder / name).write_text("\n".join(line[indent:] for line in lines).rstrip() + "\n")
