"""What a command costs from a cold start: time and memory, against `import hydra` and against a smaller tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.bench.measure import IMPORT_HYDRA, Command, in_turn, processor, ratio, seconds
from tests.bench.table import Row, Setting, at_most
from tests.bench.trees import ROOT, grow

HELP = Command(("train.py", "--help"))
CFG = Command(("train.py", "--cfg", "job"))
WORDS = Command((*CFG.words, "model=vit", "model.depth=3", "optim.lr=3e-4"))


def start(setting: Setting) -> Iterator[Row]:
    """`--help`, `--cfg job` with three plain words, and completion, of this repository."""
    asks = {"--help": HELP, "--cfg job, three words": WORDS, "completion": completion("python train.py model.d", ROOT)}
    hydra, *ours = in_turn([IMPORT_HYDRA, *asks.values()], setting.rounds)
    for name, costs in zip(asks, ours, strict=True):
        figure = ratio(seconds(costs), seconds(hydra))
        note = f"{median(seconds(costs)):.3f} s; processor {ratio(processor(costs), processor(hydra)):.2f}x"
        yield at_most(f"{name}, cold, of import hydra", figure, 0.6, note=note)
    for package in ("torch", "hydra", "omegaconf"):
        heavy = [name for name, each in asks.items() if imports(each, package)]
        yield Row(f"{package} imported by them", ", ".join(heavy) or "never", "never", not heavy)


def memory(setting: Setting) -> Iterator[Row]:
    """The largest resident set of `--cfg job`."""
    hydra, ours = in_turn([IMPORT_HYDRA, CFG], min(setting.rounds, 5))
    figure = ratio([cost.bytes for cost in ours], [cost.bytes for cost in hydra])
    note = f"{median(cost.bytes for cost in ours) / 2**20:.1f} MiB"
    yield at_most("--cfg job, memory, of import hydra", figure, 1.3, note=note)


def growth(setting: Setting) -> Iterator[Row]:
    """`--cfg job` in a large tree against a small one."""
    few, many = (Command(CFG.words, grow(setting.folder / str(count), count)) for count in (20, 2000))
    small, large = map(seconds, in_turn([few, many], setting.rounds))
    yield at_most("--cfg job, cold, 2000 node files of 20", ratio(large, small), 1.3, note=f"{median(large):.3f} s")


def thousand(setting: Setting) -> Iterator[Row]:
    """`--help` and completion where each of a thousand node files is looked into."""
    tree = grow(setting.folder / "tree", 1000)
    asks = {
        "--help": Command(HELP.words, tree),
        "completion of model=": completion("python train.py model=", tree),
        "completion of model.w": completion("python train.py model.w", tree),
    }
    hydra, *ours = in_turn([IMPORT_HYDRA, *asks.values()], setting.rounds)
    for name, costs in zip(asks, ours, strict=True):
        figure = ratio(seconds(costs), seconds(hydra))
        yield at_most(f"{name}, 1000 nodes, of import hydra", figure, 3, note=f"{median(seconds(costs)):.3f} s")


def completion(line: str, tree: Path) -> Command:
    """What a shell asks when someone presses tab behind a line."""
    return Command(("train.py", "-sc", "query=bash"), tree, {"COMP_LINE": line, "COMP_POINT": str(len(line))})


def imports(command: Command, package: str) -> bool:
    """Whether a command imports a package, as Python itself tells."""
    told = Command(("-X", "importtime", *command.words), command.folder, command.environment).run().output
    return any(line.split("|")[-1].strip() == package for line in told.splitlines())


def _name(command: Command) -> str:
    return " ".join(command.words[1:])
