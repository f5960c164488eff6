"""python train.py logger=mlflow"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from annotated_types import MinLen

from runs.logger import Logger

if TYPE_CHECKING:
    from runs.logger._mlflow import MlflowWriter


class Mlflow(Logger):
    """A run in MLflow; to see all: pip install mlflow, mlflow ui --backend-store-uri sqlite:///outputs/mlflow.db"""

    uri: str | None = None  # sqlite:///FILE or a server's http://HOST:PORT; null: sqlite:///outputs/mlflow.db
    experiment: Annotated[str, MinLen(1)] = "cn"  # that MLflow lists the run under

    def packages(self) -> tuple[str, ...]:
        return ("mlflow", "sqlalchemy", "alembic")

    def build(self, folder: Path) -> MlflowWriter:
        from runs.logger._mlflow import MlflowWriter

        return MlflowWriter(folder, uri=self.uri, experiment=self.experiment)

    def check(self) -> None:
        if self.uri is not None and ":/" not in self.uri:
            raise ValueError(f"uri is {self.uri!r}, and must be like sqlite:///FILE or http://HOST:PORT")
