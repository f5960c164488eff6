"""Fine-tuning on GLUE, each task in its own process, and a table of the results."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import torch
from torch import Tensor

from cn import RunError, UserError, load
from cn.discovery import discover
from cn.process import end_with_parent
from cn.run_folder.progress import summary
from cn.run_folder.status import is_finished
from cn.run_folder.watched import Watched
from cn.writing.command_line import command
from data._glue import find
from data.glue import ADDRESS
from data.glue import Glue as Task
from data.tokenizer.file import File
from runs import _checkpoint, _train
from runs._packages import refuse_absent
from runs._training.evaluate import LEAST
from runs._training.state import Training
from runs.benchmark._report import bounds, report
from runs.benchmark._resampled import Resampled, resampled
from runs.benchmark.nlu.glue import Name
from runs.callbacks._hooks import Hooks, Metrics
from runs.glue import Glue as Run
from runs.logger._facts import CODE
from runs.optim.adamw import AdamW

if TYPE_CHECKING:
    from runs.benchmark.nlu.glue import Glue as Node
    from runs.task._sentence import Judged

OF_OTHERS = (  # what says that a process is one of several
    *("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"),
    *("TORCHELASTIC_USE_AGENT_STORE", "SLURM_STEP_NUM_TASKS"),
)
PUBLISHED = {  # of BERT's base size on GLUE's own test (Devlin et al. 2019, table 1), in the metric named here
    "cola": ("matthews", 52.1),
    "sst2": ("accuracy", 93.5),
    "mrpc": ("f1", 88.9),
    "stsb": ("spearman", 85.8),
    "qqp": ("f1", 71.2),
    "mnli": ("accuracy", 84.6),
    "qnli": ("accuracy", 90.5),
    "rte": ("accuracy", 66.4),
}


class FineTuned(Hooks):
    def __init__(self, node: Node) -> None:
        self.node, self.tasks = node, node.tasks or list(get_args(Name))

    def on_start(self, training: Training) -> None:
        """Look for what every task needs before training, so that what is missing is told early."""
        if training.run.mode == "eval":
            return
        name, node, model = training.name_of(self), self.node, training.run.model
        refuse_absent(name, File(path=Path("tokenizer.json")).packages(), extra="text")
        most = getattr(model, "length", None)
        if most is not None and node.length > most:
            what = f"{name}.length is {node.length}, longer than the {most} tokens that {type(model).__name__} takes"
            raise UserError(what, f"nearest: {name}.length={most}")
        for task in self.tasks:
            try:
                find(self._kind(task)().layout(), root=node.root, address=ADDRESS, holder=name)
            except UserError as error:
                rest = ",".join(each for each in self.tasks if each != task)
                without = f"or leave it out: {name}.tasks=[{rest}]" if rest else None
                raise UserError(*str(error).split("\n  "), without) from None

    def on_test(self, training: Training, metrics: Metrics) -> None:
        """Of several processes each runs every so many tasks, and the first one reports all."""
        if training.run.mode == "eval":  # mode=eval leaves the folder unchanged
            return
        ranks, drawn = training.ranks, dict[str, Resampled]()
        own = {task: self._result(training, task) for task in self.tasks[ranks.rank :: ranks.size]}
        for task in own:
            drawn |= {f"glue_{task}_{name}": each for name, each in _resampled(training.folder, task).items()}
        ranks.meet("glue")
        every: dict[str, dict[str, float]] = {}
        resamples: dict[str, Resampled] = {}
        for found, each in ranks.gather((own, drawn)):
            every |= found
            resamples |= each
        found = ranks.broadcast(lambda: {task: every[task] for task in self.tasks})
        for task, each in found.items():
            metrics |= {f"test/glue_{task}_{name}": value for name, value in each.items()}
        if ranks.first:
            self._report(training, found, resamples)

    def _report(self, training: Training, found: dict[str, dict[str, float]], drawn: dict[str, Resampled]) -> None:
        for task, each in found.items():
            (name, value), *_ = each.items()
            training.say(f"glue {task}: {name} {value:.4f}")
        rows = [
            [task, name, f"{100 * value:.1f}", bounds(drawn, f"glue_{task}_{name}", _percent), _published(task, name)]
            for task in found
            for name, value in found[task].items()
        ]
        report(
            training.folder,
            "glue",
            {"tasks": found, "published": {task: {name: value} for task, (name, value) in PUBLISHED.items()}},
            title="GLUE: dev after fine-tuning, beside the test server's published scores",
            header=["task", "metric", "this run, dev", "95 %", "BERT base, test server"],
            rows=rows,
            resampled=drawn,
            examples="rows of dev",
            say=training.say,
        )

    def _result(self, training: Training, task: str) -> dict[str, float]:
        """Return the result of a task's run, which is started, resumed, or already finished."""
        folder = (training.folder / "benchmark" / task).absolute()
        if not is_finished(summary(folder)):
            if (folder / _checkpoint.LAST).exists():
                self._run(["--from", str(folder)], task)
            else:
                shutil.rmtree(folder, ignore_errors=True)
                self._run(command(self._task(training, task, folder)), task)
        told = summary(folder)
        goal = Watched.said(str(told.get("goal"))).test
        every = {name: value for name, value in told.items() if name.startswith("test/") and name != "test/loss"}
        return {name.removeprefix("test/"): float(value) for name, value in ({goal: told[goal]} | every).items()}

    def _task(self, training: Training, task: str, folder: Path) -> Run:
        """Return the run of a task: this model with the best weights and this vocabulary."""
        run, node = training.run, self.node
        data = self._kind(task)(
            root=None if node.root is None else node.root.absolute(),
            tokenizer=File(path=(training.folder / "tokenizer.json").absolute()),
            batch_size=node.batch_size,
            length=node.length,
        )
        init = (training.folder / _checkpoint.BEST).absolute()
        several = training.ranks.size > 1 and training.device.device.type == "cuda"
        return Run(
            model=run.model,
            data=data,
            optim=AdamW(lr=node.learning_rate),
            epochs=node.epochs,
            init=init,
            folder=folder,
            seed=run.seed,
            gpu=training.device.device.index if several else run.gpu,  # each process has a GPU of its own
            precision=run.precision,
        )

    @staticmethod
    def _kind(task: str) -> Any:
        kinds: dict[str, Any] = discover.options((Task,))[0]
        return kinds[f"glue/{task}"]

    def _run(self, typed: list[str], task: str) -> None:
        """Run `train.py` in a subprocess; RunError with its last lines if it fails."""
        alone = {name: value for name, value in os.environ.items() if name not in OF_OTHERS}
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        words = [sys.executable, str(CODE / "train.py"), *typed]
        dies = partial(end_with_parent, signal.SIGKILL)  # otherwise it would hold its folder when this run goes on
        ended = subprocess.run(words, cwd=CODE, env=alone, preexec_fn=dies, capture_output=True, text=True, check=False)
        if ended.returncode:
            told = (ended.stderr.strip() or ended.stdout.strip()).splitlines()
            raise RunError(f"benchmark: the run of {task} failed", *told[-4:])


def _resampled(folder: Path, task: str) -> dict[str, Resampled]:
    """Return the metrics of a trained task in resamples of its test rows."""
    place = folder / "benchmark" / task
    training = _train.build(load(place), place, lambda _: None)
    state = training.read(place / _checkpoint.BEST, weights=True)
    training.module.load_state_dict(state.get("average") or state["module"])
    training.evaluated.eval()
    objective = cast("Judged", training.objective)
    found: dict[str, Resampled] = {}
    for prefix, split in {"": training.dataset.test, **training.dataset.others}.items():
        order = split.arranged(torch.arange(len(split)), LEAST)
        given, labels = zip(*(_answers(training, split.batch(each)) for each in order.split(LEAST)), strict=True)
        answers, wanted = torch.cat(given).cpu(), torch.cat(labels).cpu()
        back = order.argsort()
        answers, wanted = answers[back], wanted[back]
        own = resampled(
            len(split),
            lambda index, answers=answers, wanted=wanted: objective.scores(answers[index], wanted[index]),
            examples=[wanted.numpy()],
        )
        found |= {f"{prefix}_{name}" if prefix else name: each for name, each in own.items()}
    return found


@torch.no_grad()
def _answers(training: Training, batch: Any) -> tuple[Tensor, Tensor]:
    return cast("Judged", training.objective).answers(training.predict, batch), batch["label"]


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _published(task: str, metric: str) -> str:
    name, value = PUBLISHED.get(task, ("", 0.0))
    return f"{value:.1f}" if name == metric else "-"
