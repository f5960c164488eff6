"""The program of `trees` as four other systems document it: the same classes, fields and options, the same choices.

Each comes in the two files that are cheapest for it. All classes stand in one module, so that no system pays for a
thousand imports, and every value is of a type that all of them know.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from tests.bench.trees import numbers


@dataclass(frozen=True)
class Rival:
    """How one system writes the classes, and how it is asked for the run."""

    name: str
    package: str  # that must be installed
    imports: str
    head: str  # annotation and default of the model's child
    tail: str  # what follows the classes
    program: str
    ask: tuple[str, ...]  # the words that choose the sixth model and the second head, and set two values
    decorator: str = "@dataclass"
    first: str = ""  # line of each model

    @property
    def installed(self) -> bool:
        return importlib.util.find_spec(self.package) is not None

    def grow(self, folder: Path, count: int) -> Path:
        """Write the program with `count` models to `folder`, which it returns."""
        folder.mkdir(parents=True)
        always = "from dataclasses import dataclass, field\nfrom typing import Annotated, Any, Union\n"
        parts = [f"{always}\n{self.imports}"]
        parts += [f"{self.decorator}\nclass {name}:\n    pass" for name in ("Head", "Model")]
        for name, scale in (("Mean", 1.0), ("Largest", 0.5)):
            parts.append(f"{self.decorator}\nclass {name}(Head):\n    scale: float = {scale}\n    bias: bool = True")
        names: list[str] = []
        for name, values in numbers(count):
            names.append(name)
            lines = [self.first] if self.first else []
            lines += [
                f"width: int = {values['width']}",
                f"depth: int = {values['depth']}",
                f"dropout: float = {values['dropout']}",
                'activation: str = "relu"',
                "bias: bool = True",
                'stem: str = "conv"',
                f"head: {self.head}",
            ]
            parts.append(f"{self.decorator}\nclass {name}(Model):\n    " + "\n    ".join(lines))
        parts += [f"MODELS = [{', '.join(names)}]", self.tail]
        (folder / "classes.py").write_text("\n\n\n".join(parts))
        (folder / "train.py").write_text(self.program)
        return folder


WORDS = ("model=m0005", "model/head=largest", "model.width=96", "seed=3", "--cfg", "job")  # ours, and Hydra's
VALUES = "    seed: int = 1\n    epochs: int = 10\n    rate: float = 1e-3\n"

HYDRA = Rival(
    name="plain Hydra",
    package="hydra",
    imports="from hydra.core.config_store import ConfigStore\nfrom omegaconf import MISSING",
    first='defaults: list[Any] = field(default_factory=lambda: ["_self_", {"head": "mean"}])',
    head="Head = MISSING",
    tail=f"""\
@dataclass
class Run:
    defaults: list[Any] = field(default_factory=lambda: ["_self_", {{"model": "m0000"}}])
    model: Model = MISSING
{VALUES}

store = ConfigStore.instance().store
store(name="run", node=Run)
store(group="model/head", name="mean", node=Mean)
store(group="model/head", name="largest", node=Largest)
for cls in MODELS:
    store(group="model", name=cls.__name__.lower(), node=cls)
""",
    program="""\
import hydra

import classes


@hydra.main(version_base="1.3", config_path=None, config_name="run")
def train(run):
    return run.seed


if __name__ == "__main__":
    train()
""",
    ask=WORDS,
)

ZEN = Rival(
    name="hydra-zen",
    package="hydra_zen",
    imports="from hydra_zen import store\nfrom omegaconf import MISSING",
    head="Head = MISSING",
    tail=f"""\
@dataclass
class Run:
    model: Model = MISSING
{VALUES}

store(Run, name="run", hydra_defaults=["_self_", {{"model": "m0000"}}])
head_store = store(group="model/head")
head_store(Mean, name="mean")
head_store(Largest, name="largest")
model_store = store(group="model")
for cls in MODELS:
    model_store(cls, name=cls.__name__.lower(), hydra_defaults=["_self_", {{"head": "mean"}}])
""",
    program="""\
from hydra_zen import store, zen

import classes


def train(seed):
    return seed


if __name__ == "__main__":
    store.add_to_hydra_store()
    zen(train).hydra_main(version_base="1.3", config_path=None, config_name="run")
""",
    ask=WORDS,
)

CHZ = Rival(
    name="chz",
    package="chz",
    imports="import chz",
    decorator="@chz.chz",
    head="Head = chz.field(meta_factory=chz.factories.subclass(Head, Mean), default_factory=Mean)",
    tail=f"""\
@chz.chz
class Run:
    model: Model = chz.field(meta_factory=chz.factories.subclass(Model, M0000), default_factory=M0000)
{VALUES}""",
    program="""\
import chz

from classes import Run


def train(run: Run) -> None:
    print(run)


if __name__ == "__main__":
    chz.nested_entrypoint(train)
""",
    ask=("model=M0005", "model.head=Largest", "model.width=96", "seed=3"),
)

TYRO = Rival(
    name="tyro",
    package="tyro",
    imports="import tyro\nfrom tyro.conf import subcommand",
    head='Union[Annotated[Mean, subcommand("mean")], Annotated[Largest, subcommand("largest")]]'
    " = field(default_factory=Mean)",
    tail=f"""\
AnyModel = Union[tuple(Annotated[cls, subcommand(cls.__name__.lower())] for cls in MODELS)]


@dataclass
class Run:
    model: AnyModel = field(default_factory=M0000)
{VALUES}""",
    program="""\
import tyro

from classes import Run

if __name__ == "__main__":
    print(tyro.cli(Run))
""",
    ask=("--seed", "3", "model:m0005", "--model.width", "96", "model.head:largest"),
)

RIVALS = (HYDRA, ZEN, CHZ, TYRO)
