"""One run of an MLflow store, whose id is kept in the run's folder."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runs._folder import OUTPUTS
from runs.logger._facts import Facts, facts
from runs.logger._writer import Record, State, Writer

ENDED: dict[State, str] = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}
AT_ONCE = 500  # metrics in one transaction; MLflow takes 1000, and 100 parameters
EVERY = 1.0  # seconds between transactions


class MlflowWriter(Writer):
    """Sends metrics in batches. MLflow forgets nothing: a resumed run leaves out what the store already has."""

    def __init__(self, folder: Path, *, uri: str | None, experiment: str) -> None:
        self.folder, self.uri, self.experiment = folder, uri, experiment
        self.waiting: list[Any] = []
        self.sent = 0.0  # when the last batch was, in seconds of the monotonic clock
        self.stored: dict[str, int] = {}  # last step of each metric that an earlier part of the run stored

    def resume(self, step: int) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # a run tells nobody that it was there
        from mlflow import MlflowClient

        logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)
        if self.uri is None:
            OUTPUTS.mkdir(exist_ok=True)
            with _alone(OUTPUTS / ".mlflow.lock"):  # several runs at once would all make the tables
                # a run that finds the file locked by another's transaction waits so many seconds
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
        """The id of the experiment, which is made where there is none; pictures go to a folder of this address."""
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
            for name, value in metrics.items()
            if name != "step" and step > self.stored.get(name, -1)
        ]

    def picture(self, name: str, image: Any, step: int) -> None:
        self.client.log_image(self.run, image, artifact_file=f"{name}/{step:06d}.png")

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
    """Within it, a server that does not answer has failed after 6 seconds: a wrong address is told early.

    Later it may be away for as long as MLflow waits, which is 4 minutes.
    """
    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    if name in os.environ:  # somebody knows better
        yield
        return
    os.environ[name] = "2"
    try:
        yield
    finally:
        del os.environ[name]
