"""Logs to one run of Weights & Biases; the run's folder keeps the W&B id."""

from __future__ import annotations

import secrets
from html import escape
from pathlib import Path
from typing import Any, Literal

from cn.run_folder.metrics import Record
from cn.run_folder.status import RunStatus
from runs.logger._facts import facts
from runs.logger._writer import State, Writer


class WandbWriter(Writer):
    """W&B cannot delete metrics: for a resumed run the server ignores steps that it has."""

    def __init__(self, folder: Path, *, mode: Literal["offline", "online"], project: str, entity: str | None) -> None:
        self.folder, self.project, self.entity = folder, project, entity
        self.mode: Literal["offline", "online"] = mode

    def resume(self, step: int) -> None:
        import wandb

        if self.mode == "online" and not wandb.login(prompt=False, verify=False):  # init would prompt for a login
            raise RuntimeError("nobody is logged in: wandb login, or logger.wandb.mode=offline")
        known = facts(self.folder)
        kept = self.folder / "wandb.txt"
        if not kept.exists():
            kept.write_text(secrets.token_hex(4) + "\n")
        self.run = wandb.init(
            id=kept.read_text().strip(),
            resume="allow",
            project=self.project,
            entity=self.entity,
            name=known.name,
            mode=self.mode,
            dir=str(self.folder.resolve()),  # its service may run in another directory
            config={**known.values, "parameters": known.parameters, "command": known.command, "code": known.code},
            settings=wandb.Settings(  # what the run prints is in its own log; a busy machine starts the service slowly
                silent=True, console="off", x_service_wait=300, init_timeout=300
            ),
        )

    def write(self, record: Record) -> None:
        self.run.log({name: value for name, value in record.items() if name != "step"}, step=int(record["step"]))

    def picture(self, name: str, image: Any, step: int) -> None:
        import wandb

        self.run.log({name: wandb.Image(image)}, step=step)

    def text(self, name: str, text: str, step: int) -> None:
        import wandb

        self.run.log({name: wandb.Html(f"<pre>{escape(text)}</pre>")}, step=step)

    def result(self, result: dict[str, Any]) -> None:
        self.run.summary.update({name: value for name, value in result.items() if name.startswith(("best/", "test/"))})

    def close(self, state: State) -> None:
        self.run.finish(exit_code=0 if state == RunStatus.FINISHED else 1)
