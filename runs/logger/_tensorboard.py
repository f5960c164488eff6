"""TensorBoard's event files. A resumed run adds a file that makes readers discard later steps of the old files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cn.run_folder.metrics import Record
from runs.logger._facts import Facts, facts
from runs.logger._writer import State, Writer


class TensorboardWriter(Writer):
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def resume(self, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        begun = any(self.folder.glob("events.out.tfevents.*"))
        self.events = SummaryWriter(str(self.folder), purge_step=step + 1 if begun else None, flush_secs=10)
        if step == 0:
            self._describe(facts(self.folder))

    def _describe(self, known: Facts) -> None:
        from torch.utils.tensorboard.summary import hparams

        values = {**known.values, "parameters": known.parameters}
        named = dict.fromkeys(known.goal, 0.0)  # only the names are written
        for each in hparams(values, named):  # add_hparams would use another folder
            self.events._get_file_writer().add_summary(each)
        text = {"command": known.command, "code": known.code, "parameters": str(known.parameters)}
        for name, value in text.items():
            self.events.add_text(name, value, 0)

    def write(self, record: Record) -> None:
        for name, value in record.items():
            if name != "step":
                self.events.add_scalar(name, value, int(record["step"]))

    def picture(self, name: str, image: Any, step: int) -> None:
        self.events.add_image(name, image, step, dataformats="HWC")

    def text(self, name: str, text: str, step: int) -> None:
        self.events.add_text(name, text, step)

    def result(self, result: dict[str, Any]) -> None:
        for name, value in result.items():
            if name.startswith("test/"):
                self.events.add_scalar(name, value, result["step"])

    def flush(self) -> None:
        self.events.flush()

    def close(self, state: State) -> None:
        self.events.close()
