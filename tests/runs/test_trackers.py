"""TensorBoard, MLflow and W&B hold what metrics.jsonl holds, read back from what they really stored."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cn import Job, UserError
from data.digits import Digits
from models.mlp import Mlp
from runs._request import asked
from runs.callbacks import Callback
from runs.callbacks._hooks import Hooks
from runs.default import Default
from runs.logger import Logger
from runs.logger._facts import code, values
from runs.logger.mlflow import Mlflow
from runs.logger.tensorboard import Tensorboard
from runs.logger.wandb import Wandb
from tests.runs.conftest import wait_for

ROOT = Path(__file__).parents[2]
Value = dict[str, dict[int, float]]  # of each metric, at each step

PICTURE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)  # h w 3
TEXT = "a <b> of a text\nin two lines"


class _ShowHooks(Hooks):
    def on_validation(self, training: Any, metrics: dict[str, float]) -> None:
        training.show("small", PICTURE, training.step)
        training.show("words", TEXT, training.step)


class _Show(Callback):
    def build(self) -> Hooks:
        return _ShowHooks()


def small(logger: Logger, name: str) -> Default:
    return Default(
        model=Mlp(hidden_sizes=(8,)),
        data=Digits(batch_size=128),
        callbacks={"show": _Show()},
        logger={name: logger},
        epochs=2,
        log_every=4,
    )


def of(records: list[dict[str, float]]) -> Value:
    """metrics.jsonl by metric."""
    result: Value = {}
    for record in records:
        for name, value in record.items():
            if name not in ("step", "epoch"):
                result.setdefault(name, {})[int(record["step"])] = value
    return result


@pytest.fixture
def stopped(go: Any, failed: Any, after_step: Any) -> Callable[[Default], Any]:
    """A run that is stopped after step 13 of 18, and goes on."""

    def stopped(run: Default) -> Any:
        after_step(13, lambda: signal.raise_signal(signal.SIGINT))
        failed(lambda: go("run", of=run))
        return go(source="run")

    return stopped


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take long to make a store."""
    for name in ("STARTING", "SOON", "ENDING"):
        monkeypatch.setattr(f"runs.logger._thread.{name}", 600.0)


tensorboard, mlflow, wandb = (
    pytest.mark.skipif(any(find_spec(each) is None for each in names), reason=f"{names[0]} is not installed: .[track]")
    for names in (Tensorboard().packages(), Mlflow().packages(), Wandb().packages())
)

# TensorBoard


def events(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0, "images": 0}).Reload()


def scalars(folder: Path) -> Value:
    read = events(folder)
    tags = [tag for tag in read.Tags()["scalars"] if tag != "epoch"]
    for tag in tags:
        steps = [each.step for each in read.Scalars(tag)]
        assert steps == sorted(set(steps)), f"{tag} is there twice"
    return {tag: {each.step: each.value for each in read.Scalars(tag)} for tag in tags}


def fp32(values: Value) -> Value:
    return {name: {step: float(np.float32(value)) for step, value in each.items()} for name, each in values.items()}


@tensorboard
def test_tensorboard_has_the_metrics_the_pictures_and_how_the_run_was_asked_for(go):
    run = go("run", of=small(Tensorboard(), "tensorboard"))
    tested = {name: {18: run.summary[name]} for name in ("test/loss", "test/accuracy")}
    assert scalars(run.folder) == fp32({**of(run.metrics), **tested})
    read = events(run.folder)
    assert [each.step for each in read.Images("small")] == [9, 18]
    assert decoded(read.Images("small")[0].encoded_image_string) == PICTURE.tolist()
    texts = {tag: read.Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in read.Tags()["tensors"]}
    assert texts == {
        "command/text_summary": (run.folder / "command.txt").read_text().strip(),
        "code/text_summary": code(ROOT),
        "parameters/text_summary": str(run.summary["parameters"]),
        "words/text_summary": TEXT,
    }
    assert [each.step for each in read.Tensors("words/text_summary")] == [9, 18]
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    content = read.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    values = HParamsPluginData.FromString(content).session_start_info.hparams
    assert values["model"].string_value == "models.mlp:Mlp"
    assert values["model.hidden_sizes"].string_value == "[8]"
    assert (values["data.batch_size"].number_value, values["parameters"].number_value) == (128, 610)


def decoded(png: bytes) -> Any:
    import io

    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture).tolist()


@tensorboard
def test_tensorboard_goes_on_after_a_stop(stopped):
    run = stopped(small(Tensorboard(), "tensorboard"))
    tested = {name: {18: run.summary[name]} for name in ("test/loss", "test/accuracy")}
    assert len(list(run.folder.glob("events.out.tfevents.*"))) == 2
    assert scalars(run.folder) == fp32({**of(run.metrics), **tested})


@tensorboard
def test_tensorboard_forgets_what_came_after_the_checkpoint_that_a_run_goes_on_from(here):
    from runs.logger._tensorboard import TensorboardWriter

    (here / "config.json").write_text("{}")
    (here / "command.txt").write_text("python train.py\n")
    (here / "summary.json").write_text('{"parameters": 1}')
    for start, value in ((0, 1.0), (4, 2.0)):
        writer = TensorboardWriter(here)
        writer.resume(start)
        for step in range(start + 1, 8):
            writer.write({"step": step, "a": value})
        writer.close("failed")
    assert scalars(here) == {"a": {1: 1.0, 2: 1.0, 3: 1.0, 4: 1.0, 5: 2.0, 6: 2.0, 7: 2.0}}


# MLflow


def stored(folder: Path, uri: str = "sqlite:///outputs/mlflow.db") -> tuple[Any, Value]:
    """The run of a folder in the store, and its metrics."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    run = client.get_run((folder / "mlflow.txt").read_text().strip())
    metrics: Value = {}
    for name in set(run.data.metrics) - {"epoch"}:
        history = [(each.step, each.value) for each in client.get_metric_history(run.info.run_id, name)]
        assert len(history) == len(dict(history)), f"{name} is there twice"
        metrics[name] = dict(history)
    return run, metrics


@mlflow
def test_mlflow_has_the_metrics_the_pictures_and_how_the_run_was_asked_for(go):
    run = go("run", of=small(Mlflow(), "mlflow"))
    found, metrics = stored(run.folder)
    tested = {name: {18: run.summary[name]} for name in ("test/loss", "test/accuracy")}
    assert metrics == {**of(run.metrics), **tested}
    assert (found.info.status, found.info.run_name) == ("FINISHED", "run")
    values = found.data.params
    assert (values["model"], values["model.hidden_sizes"]) == ("models.mlp:Mlp", "[8]")
    assert (values["data.batch_size"], values["parameters"], values["clip"]) == ("128", "610", "null")
    assert found.data.tags["command"] == (run.folder / "command.txt").read_text().strip()
    assert found.data.tags["code"] == code(ROOT)
    pictures = Path("outputs/mlflow") / found.info.run_id / "artifacts/small"
    assert sorted(each.name for each in pictures.iterdir()) == ["000009.png", "000018.png"]
    assert decoded((pictures / "000009.png").read_bytes()) == PICTURE.tolist()
    texts = sorted((pictures.parent / "words").iterdir())
    assert {each.name: each.read_text() for each in texts} == {"000009.txt": TEXT, "000018.txt": TEXT}


@mlflow
def test_mlflow_goes_on_with_the_same_run_and_has_no_value_twice(stopped):
    run = stopped(small(Mlflow(), "mlflow"))
    found, metrics = stored(run.folder)
    tested = {name: {18: run.summary[name]} for name in ("test/loss", "test/accuracy")}
    assert metrics == {**of(run.metrics), **tested}
    assert found.info.status == "FINISHED"


@mlflow
def test_mlflow_is_told_how_a_run_ended_and_a_store_of_ones_own_is_used(go, here, failed, after_step):
    from runs.logger._mlflow import MlflowWriter

    uri = f"sqlite:///{here / 'mine.db'}"
    after_step(5, lambda: signal.raise_signal(signal.SIGINT))
    failed(lambda: go("run", of=small(Mlflow(uri=uri, experiment="mine"), "mlflow")))
    found, metrics = stored(here / "run", uri)
    assert (found.info.status, list(metrics["train/loss"])) == ("KILLED", [4])
    writer = MlflowWriter(here / "run", uri=uri, experiment="mine")
    writer.resume(0)
    assert stored(here / "run", uri)[0].info.status == "RUNNING"
    for step in (3, 4, 5):  # 3 and 4 were stored before the stop
        writer.write({"step": step, "epoch": 0.0, "train/loss": 100.0 + step})
    writer.close("failed")
    again, written = stored(here / "run", uri)
    assert (again.info.status, again.info.run_id) == ("FAILED", found.info.run_id)
    assert written["train/loss"] == {**metrics["train/loss"], 5: 105.0}


@mlflow
def test_an_mlflow_server_that_does_not_answer_is_left_out_before_the_first_step(go):
    run = go("run", of=small(Mlflow(uri="http://127.0.0.1:9"), "mlflow"))
    (told,) = (line for line in run.log.splitlines() if "logger" in line)
    assert told.startswith("logger.mlflow failed and is left out from here: MlflowException: ")
    assert "Connection refused" in told
    assert run.summary["state"] == "finished"
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


# W&B


def kept(folder: Path) -> list[Any]:
    """The records of its offline files, once W&B's service, a process of its own, has written the last of each."""
    runs = len(list(folder.glob("wandb/offline-run-*")))
    wait_for(lambda: sum(each.WhichOneof("record_type") == "exit" for each in written(folder)) == runs)
    return list(written(folder))


def written(folder: Path) -> Iterator[Any]:
    """What is in its offline files: blocks of 32768 bytes, of pieces that each have 7 bytes of header."""
    from wandb.proto.wandb_internal_pb2 import Record

    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        data, at, whole = path.read_bytes(), 7, b""
        while at + 7 <= len(data):
            if 32768 - at % 32768 < 7:
                at += 32768 - at % 32768
            _, length, piece = struct.unpack("<IHB", data[at : at + 7])
            at += 7 + length
            if at > len(data):  # the rest of it is still to come
                break
            whole += data[at - length : at]
            if piece in (1, 4):  # whole, or the last piece
                yield Record.FromString(whole)
                whole = b""


def history(folder: Path) -> Value:
    assert "left out" not in (folder / "log.txt").read_text()
    result: Value = {}
    for record in kept(folder):
        if record.WhichOneof("record_type") == "history":
            row = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
            for name, value in row.items():
                if "/" in name:
                    result.setdefault(name, {})[row["_step"]] = value
    return result


@wandb
def test_wandb_keeps_the_metrics_and_how_the_run_was_asked_for(go):
    run = go("run", of=small(Wandb(), "wandb"))
    assert {name: each for name, each in history(run.folder).items() if name in of(run.metrics)} == of(run.metrics)
    records = {each.WhichOneof("record_type"): each for each in kept(run.folder)}
    config = {each.key: json.loads(each.value_json) for each in records["run"].run.config.update}
    assert (config["model"], config["parameters"], config["code"]) == ("models.mlp:Mlp", 610, code(ROOT))
    assert (records["run"].run.run_id, records["exit"].exit.exit_code) == (
        (run.folder / "wandb.txt").read_text().strip(),
        0,
    )
    assert len(list(run.folder.glob("wandb/offline-run-*/files/media/images/small_*.png"))) == 2
    pages = list(run.folder.glob("wandb/offline-run-*/files/media/html/words_*.html"))
    assert ["a &lt;b&gt; of a text\nin two lines" in each.read_text() for each in pages] == [True, True]


@wandb
def test_wandb_goes_on_with_the_same_run(stopped):
    run = stopped(small(Wandb(), "wandb"))
    assert {name: each for name, each in history(run.folder).items() if name in of(run.metrics)} == of(run.metrics)
    assert {each.run.run_id for each in kept(run.folder) if each.WhichOneof("record_type") == "run"} == {
        (run.folder / "wandb.txt").read_text().strip()
    }


@wandb
def test_wandb_asks_nobody_to_log_in(go, here, monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(here / "none"))
    run = go("run", of=small(Wandb(mode="online"), "wandb"))
    assert run.log.splitlines()[1] == (
        "logger.wandb failed and is left out from here: "
        "RuntimeError: nobody is logged in: wandb login, or logger.wandb.mode=offline"
    )
    assert run.summary["state"] == "finished"


# All of them


@pytest.mark.slow
def test_a_logger_that_is_not_installed_is_told_before_torch_is_imported():
    script = (
        "import sys, cn.lazy, runs._request\n"
        "from cn import Job, UserError, compose\n"
        "from runs import Run\n"
        "cn.lazy.find_spec = lambda name: None if name in ('mlflow', 'alembic') else name\n"
        "try:\n    runs._request.asked(compose(Run, ['logger=[csv,mlflow]']), Job())\n"
        "except UserError as error:\n    print(error, 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == (
        "logger.mlflow: mlflow and alembic are not installed\n"
        "  type: pip install -c constraints.txt -e '.[track]' False\n"
    )  # fmt: skip


@pytest.mark.parametrize(("logger", "package"), [(Tensorboard(), "tensorboard"), (Wandb(), "wandb")], ids=str)
def test_one_that_is_not_installed_is_named(monkeypatch, logger, package):
    monkeypatch.setattr("cn.lazy.find_spec", lambda name: None)
    with pytest.raises(UserError) as refused:
        asked(small(logger, "mine"), Job())
    assert str(refused.value) == (
        f"logger.mine: {package} is not installed\n  type: pip install -c constraints.txt -e '.[track]'"
    )


def test_what_makes_no_sense_is_refused(go, failed):
    for words, told in (
        (("logger=mlflow", "logger.mlflow.uri=outputs"), "uri is 'outputs', and must be like sqlite:///FILE or"),
        (("logger=mlflow", "logger.mlflow.experiment=''"), "logger.mlflow.experiment is str with length >= 1, not ''"),
        (("logger=wandb", "logger.wandb.project=''"), "logger.wandb.project is str with length >= 1, not ''"),
    ):
        assert told in str(failed(lambda words=words: go("run", *words)))


def test_hyperparameters_are_named_as_on_the_command_line():
    record = {
        "_class_": "runs.default:Default",
        "_derived_": ["lr"],
        "model": {"_class_": "models.vit:ViT", "depth": 3, "head": {"_class_": "models.head.mean:Mean"}},
        "teacher": None,
        "callbacks": {"ema": {"_class_": "runs.callbacks.ema:Ema", "decay": 0.9}},
        "logger": {},
        "sizes": [1, 2],
        "flip": True,
    }
    assert values(record) == {
        "run": "runs.default:Default",
        "model": "models.vit:ViT",
        "model.depth": 3,
        "model.head": "models.head.mean:Mean",
        "teacher": "null",
        "callbacks.ema": "runs.callbacks.ema:Ema",
        "callbacks.ema.decay": 0.9,
        "logger": "{}",
        "sizes": "[1, 2]",
        "flip": True,
    }


@pytest.mark.slow
def test_the_code_is_a_commit_and_whether_files_differ_from_it(here):
    def git(*words: str) -> str:
        named = ["-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false"]
        done = subprocess.run(["git", *named, *words], cwd=here, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    assert code(here) == f"{here.name}, which is not in git"
    git("init", "-q")
    (here / "train.py").touch()
    (here / "outputs").mkdir()
    (here / "outputs/train.py").touch()
    (here / ".gitignore").write_text("outputs/\n")
    git("add", "-A")
    git("commit", "-qm", "all")
    commit = git("rev-parse", "HEAD")
    assert code(here) == commit
    (here / "new.py").touch()
    assert code(here) == f"{commit}, changed"
    assert code(here / "outputs") == "outputs, which is not in git"
