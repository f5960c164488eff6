"""Logs to one run of an MLflow store; the run's folder keeps the MLflow id."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cn.run_folder.folder import OUTPUTS
from cn.run_folder.metrics import Record
from cn.run_folder.status import RunStatus
from runs.logger._facts import Facts, facts
from runs.logger._writer import State, Writer

ENDED: dict[State, str] = {
    RunStatus.FINISHED: "FINISHED",
    RunStatus.INTERRUPTED: "KILLED",
    RunStatus.FAILED: "FAILED",
}
AT_ONCE = 500  # metrics in one transaction; MLflow takes 1000, and 100 parameters
UNKNOWN = re.compile(r"[^\w./: -]")  # characters that MLflow refuses in the name of a metric
EVERY = 1.0  # seconds between transactions


class MlflowWriter(Writer):
    """Sends metrics in batches. MLflow cannot delete metrics: a resumed run skips those already stored."""

    def __init__(self, folder: Path, *, uri: str | None, experiment: str) -> None:
        self.folder, self.uri, self.experiment = folder, uri, experiment
        self.waiting: list[Any] = []
        self.sent = 0.0  # time of the last batch, on the monotonic clock
        self.stored: dict[str, int] = {}  # last stored step of each metric, from before a resume

    def resume(self, step: int) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # a run tells nobody that it was there
        from mlflow import MlflowClient

        logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)
        if self.uri is None:
            OUTPUTS.mkdir(exist_ok=True)
            with _alone(OUTPUTS / ".mlflow.lock"):  # concurrent runs would all create the tables
                # timeout in seconds for a database locked by another run
                self.client = MlflowClient(f"sqlite:///{OUTPUTS / 'mlflow.db'}?timeout=60")
                experiment = self._experiment((OUTPUTS / "mlflow").resolve().as_uri())
        else:
            self.client = MlflowClient(self.uri)
            with _at_once():
                experiment = self._experiment(None)
        kept = self.folder / "mlflow.txt"
        if kept.exists():
            self.run = kept.read_text().strip()
            self.client.update_run(self.run, status="RUNNING")
            for name in self.client.get_run(self.run).data.metrics:
                self.stored[name] = max(each.step for each in self.client.get_metric_history(self.run, name))
            return
        known = facts(self.folder)
        self.run = self.client.create_run(experiment, run_name=known.name).info.run_id
        self._describe(known)
        kept.write_text(self.run + "\n")

    def _experiment(self, pictures: str | None) -> str:
        """Return the experiment's id, creating it if needed; pictures go to the folder at this address."""
        found = self.client.get_experiment_by_name(self.experiment)
        if found is not None:
            return found.experiment_id
        return self.client.create_experiment(self.experiment, artifact_location=pictures)

    def _describe(self, known: Facts) -> None:
        from mlflow.entities import Param, RunTag

        values = {**known.values, "parameters": known.parameters}
        params = [Param(name, str(value)) for name, value in values.items()]
        tags = {"command": known.command, "code": known.code, "folder": str(self.folder)}
        if " " not in known.code:
            tags["mlflow.source.git.commit"] = known.code
        for start in range(0, len(params), 100):
            self.client.log_batch(self.run, params=params[start : start + 100])
        self.client.log_batch(self.run, tags=[RunTag(name, value) for name, value in tags.items()])

    def write(self, record: Record) -> None:
        self._take(record, int(record["step"]))
        if len(self.waiting) >= AT_ONCE or time.monotonic() - self.sent > EVERY:
            self.flush()

    def _take(self, metrics: dict[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self.waiting += [
            Metric(name, float(value), now, step)
            for name, value in ((UNKNOWN.sub("_", name), value) for name, value in metrics.items())
            if name != "step" and step > self.stored.get(name, -1)
        ]

    def picture(self, name: str, image: Any, step: int) -> None:
        self.client.log_image(self.run, image, artifact_file=f"{name}/{step:06d}.png")

    def text(self, name: str, text: str, step: int) -> None:
        self.client.log_text(self.run, text, artifact_file=f"{name}/{step:06d}.txt")

    def result(self, result: dict[str, Any]) -> None:
        self._take({name: value for name, value in result.items() if name.startswith("test/")}, result["step"])

    def flush(self) -> None:
        for start in range(0, len(self.waiting), AT_ONCE):
            self.client.log_batch(self.run, metrics=self.waiting[start : start + AT_ONCE])
        self.waiting.clear()
        self.sent = time.monotonic()

    def close(self, state: State) -> None:
        self.flush()
        self.client.set_terminated(self.run, status=ENDED[state])


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _at_once() -> Iterator[None]:
    """Limit retries while active: a server that does not answer fails after 6 s, so a wrong address is reported early.

    Later, MLflow retries for its default of 4 minutes.
    """
    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    if name in os.environ:  # set by the user
        yield
        return
    os.environ[name] = "2"
    try:
        yield
    finally:
        del os.environ[name]
