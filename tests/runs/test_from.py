"""`--from` with a checkpoint's path: the file that was named is tested, and no other."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch

import cn
from runs import _train
from runs.default import Default

NAMES = ("last.pt", "best.pt", "step-000009.pt", "step-000018.pt")
WORDS = ("epochs=3", "callbacks=checkpoint", "callbacks.checkpoint.every=1", "optim.lr=0.3")


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, float]]:
    """What each test of a checkpoint gave."""
    kept: list[dict[str, float]] = []
    score = _train._score

    def keep(*args: Any) -> dict[str, float]:
        kept.append(score(*args))
        return kept[-1]

    monkeypatch.setattr(_train, "_score", keep)
    return kept


def test_each_checkpoint_is_tested_by_its_name(go, scores, capsys):
    run = go("run", *WORDS)
    end = capsys.readouterr().out.splitlines()[-2]
    before = run.files()
    for name in NAMES:
        go("", "mode=eval", source=f"run/{name}")
    said = capsys.readouterr().out.splitlines()
    assert scores[NAMES.index("best.pt") + 1] == scores[0] == {each: run.summary[each] for each in scores[0]}
    assert said[NAMES.index("best.pt")] == end
    assert len({each["test/loss"] for each in scores[1:]}) > 2  # not one of them again and again
    kept = dict(zip(NAMES, zip(said, scores[1:], strict=True), strict=True))
    training = _train.build(cn.load("run"), Path("run"), print)
    for name, (line, score) in kept.items():
        state = run.state(name)
        training.module.load_state_dict(state["module"])
        found = _train.evaluate(training, training.dataset.test)
        assert {f"test/{metric}": value for metric, value in found.items()} == score
        which = "the best validation" if name == "best.pt" else name
        assert line.endswith(f"(loss {score['test/loss']:.4f}), of {which}, at step {state['step']}")
    assert run.files() == before


def test_of_averaged_weights_it_is_the_average_that_is_tested(go, scores):
    run = go("run", "epochs=2", "callbacks=ema", "callbacks.ema.decay=0.9")
    go("", "mode=eval", source="run/last.pt")
    training = _train.build(cn.load("run"), Path("run"), print)
    training.module.load_state_dict(run.state("last.pt")["average"])
    found = _train.evaluate(training, training.dataset.test)
    assert scores[1] == {f"test/{metric}": value for metric, value in found.items()}


def test_through_the_door(go, shell):
    run = go("run", "epochs=1")
    before = run.files()
    said = shell("--from", "run/last.pt", "mode=eval")
    assert (said.status, said.err) == (0, "")
    assert re.fullmatch(r"test accuracy 0\.\d{4} \(loss \d\.\d{4}\), of last\.pt, at step 9\n", said.out)
    assert run.files() == before


@pytest.mark.parametrize("name", ["run/last.pt", "./run//last.pt/", "{here}/run/last.pt", "link", "folder/last.pt"])
def test_however_the_path_is_written(name, go, here, scores):
    go("run", "epochs=1")
    os.symlink(here / "run/last.pt", here / "link")
    os.symlink(here / "run", here / "folder")
    go("", "mode=eval", source=name.format(here=here))
    assert scores[0] == scores[1]  # of one epoch, the last is the best


def test_in_a_folder_of_another_name_with_spaces_and_from_within(go, here, scores, capsys, monkeypatch):
    go("run", "epochs=1")
    (here / "run").rename(here / "é mes runs, *")
    go("", "mode=eval", source="é mes runs, */last.pt")
    monkeypatch.chdir(here / "é mes runs, *")
    go("", "mode=eval", source="last.pt")
    go("", "mode=eval", source=".")
    assert scores[0] == scores[1] == scores[2] == scores[3]
    assert [line.rpartition("of ")[2] for line in capsys.readouterr().out.splitlines()[-3:]] == [
        *["last.pt, at step 9"] * 2,
        "the best validation, at step 9",
    ]


def test_the_last_resumes_as_the_folder_does(go, failed, after_step):
    whole = go("whole", "epochs=2")
    after_step(13, lambda: os.kill(os.getpid(), 2))
    failed(lambda: go("run", "epochs=2"))
    go(source="run/last.pt")
    log = (Path("run") / "log.txt").read_text().splitlines()
    assert "goes on after step 13" in log
    last = torch.load("run/last.pt", weights_only=True)["module"]
    assert torch.equal(torch.cat([each.flatten() for each in last.values()]), whole.weights())


@pytest.mark.parametrize("name", ["best.pt", "step-000009.pt"])
def test_a_run_does_not_go_on_from_another(name, go, failed):
    run = go("run", "epochs=1", "callbacks=checkpoint", "callbacks.checkpoint.every=1")
    before = run.files()
    error = failed(lambda: go(source=f"run/{name}"))
    assert str(error) == (
        f"--from run/{name}: a run goes on from its last step\n"
        "  write: python train.py --from run\n"
        f"  to test this checkpoint: python train.py --from run/{name} mode=eval"
    )
    assert error.status == 2
    assert run.files() == before


@pytest.mark.parametrize("name", ["last.pt", "best.pt"])
def test_a_new_run_begins_at_no_checkpoint(name, go, failed, here):
    """Its weights would be new ones, whatever was named."""
    go("a run", "epochs=1")
    error = failed(lambda: go("", "epochs=3", "optim.lr=1e-3", 'model.activation="gelu"', source=f"a run/{name}"))
    assert str(error) == (
        f"--from a run/{name}: a run with changes begins anew\n"
        "  write: python train.py --from 'a run' epochs=3 optim.lr=1e-3 'model.activation=\"gelu\"'\n"
        f"  to test this checkpoint: python train.py --from 'a run/{name}' mode=eval"
    )
    assert [each.name for each in here.iterdir()] == ["a run"]


def test_a_test_takes_no_changes_of_a_checkpoint_either(go, failed):
    go("run", "epochs=1")
    error = failed(lambda: go("", "mode=eval", "seed=2", source="run/last.pt"))
    assert str(error) == (
        "mode=eval tests a run that has been trained, as it is\n  write: python train.py --from run/last.pt mode=eval"
    )


WRONG = {
    "log.txt": (
        2,
        "--from run/log.txt: log.txt is not a checkpoint\n"
        "  choose from: best.pt, cut.pt, deeper.pt, empty.pt, last.pt, other data.pt, tensor.pt, text.pt, "
        "... (10 in all)\n"
        "  for the run itself: python train.py --from run\n",
    ),
    "summary.json": (2, "run/summary.json cannot be read\n  it names no class\n"),
    "lsat.pt": (
        2,
        "run/lsat.pt is not a run folder: it has no config.json\n  nearest: run/last.pt, run/best.pt, run/cut.pt\n",
    ),
    "log.txt/last.pt": (
        2,
        "run/log.txt/last.pt is not a run folder: it has no config.json\n  see: python -m cn runs\n",
    ),
    "empty.pt": (
        1,
        "run/empty.pt cannot be read as a checkpoint\n  EOFError\n",
    ),
    "cut.pt": (
        1,
        "run/cut.pt cannot be read as a checkpoint\n  OSError: [Errno 22] Invalid argument\n",
    ),
    "text.pt": (
        1,
        "run/text.pt cannot be read as a checkpoint\n  KeyError: 101\n",
    ),
    "tensor.pt": (1, "run/tensor.pt is not a checkpoint of a run: it has no 'step'\n"),
    "weights.pt": (1, "run/weights.pt is not a checkpoint of a run: it has no 'step'\n"),
    "wider.pt": (
        1,
        "run/wider.pt does not fit the run in run\n"
        "  its 1.weight is 16x64, and that of the network 8x64\n"
        "  it came from another run, or the code or the data of this one have changed\n",
    ),
    "deeper.pt": (
        1,
        "run/deeper.pt does not fit the run in run\n"
        "  it has 5.weight, which the network has not\n"
        "  it came from another run, or the code or the data of this one have changed\n",
    ),
    "other data.pt": (
        1,
        "run/other data.pt does not fit the run in run\n"
        "  it counts 19 steps an epoch, and the run 9\n"
        "  it came from another run, or the code or the data of this one have changed\n",
    ),
}


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with files that are no checkpoints of it."""
    above = tmp_path_factory.mktemp("damaged")

    def trained(name: str, *, sizes: str = "[8]", batch: int = 128) -> bytes:
        words = ["model=mlp", f"model.hidden_sizes={sizes}", f"data.batch_size={batch}", "epochs=1", f"folder={name}"]
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(above)
            patch.setattr("runs._train.draw", lambda folder: None)
            _train.train(cn.compose(Default, words), cn.Job())
        return (above / name / "last.pt").read_bytes()

    whole, folder = trained("run"), above / "run"
    (folder / "empty.pt").touch()
    (folder / "cut.pt").write_bytes(whole[: len(whole) // 2])
    (folder / "text.pt").write_text("hello")
    torch.save(torch.zeros(3), folder / "tensor.pt")
    torch.save(torch.load(folder / "last.pt", weights_only=True)["module"], folder / "weights.pt")
    (folder / "wider.pt").write_bytes(trained("wider", sizes="[16]"))
    (folder / "deeper.pt").write_bytes(trained("deeper", sizes="[8,10]"))
    (folder / "other data.pt").write_bytes(trained("other", batch=64))
    return above


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_checkpoint_of_the_run_is_refused(name, damaged, monkeypatch, capsys):
    monkeypatch.chdir(damaged)
    monkeypatch.setattr("sys.argv", ["train.py"])
    from train import train

    with pytest.raises(SystemExit) as ended:
        cn.main(train, folder=False, argv=["--from", f"run/{name}", "mode=eval"])
    status, told = WRONG[name]
    said = capsys.readouterr()
    assert (ended.value.code, said.out, said.err) == (status, "", told)


def test_a_resumed_run_refuses_the_checkpoint_of_another_network(damaged, go, failed, here):
    go("run", "epochs=1")
    (here / "run/last.pt").write_bytes((damaged / "wider/last.pt").read_bytes())
    error = failed(lambda: go(source="run"))
    assert str(error) == (
        "run/last.pt does not fit the run in run\n"
        "  its 1.weight is 16x64, and that of the network 8x64\n"
        "  it came from another run, or the code or the data of this one have changed"
    )


def test_a_link_to_a_checkpoint_that_is_gone(go, failed):
    run = go("run", "epochs=1")
    (run.folder / "best.pt").unlink()
    (run.folder / "best.pt").symlink_to("step-000009")
    for source in ("run", "run/best.pt"):
        error = failed(lambda source=source: go("", "mode=eval", source=source))
        assert str(error) == (
            "run has no checkpoint best.pt\n"
            "  it is a link to step-000009, which is not there\n"
            "  what it has: run/last.pt"
        )


def test_a_run_whose_last_checkpoint_is_gone_does_not_begin_anew_over_it(go, failed):
    """As a copy of a folder without its sharded checkpoints."""
    run = go("run", "epochs=1")
    (run.folder / "last.pt").unlink()
    (run.folder / "last.pt").symlink_to("step-000009")
    assert str(failed(lambda: go(source="run"))) == (
        "run has no checkpoint last.pt\n  it is a link to step-000009, which is not there\n  what it has: run/best.pt"
    )
    assert go("", "mode=eval", source="run").state("best.pt")["step"] == 9


def test_a_folder_without_that_checkpoint(go, failed):
    run = go("run", "epochs=1")
    (run.folder / "best.pt").unlink()
    error = failed(lambda: go("", "mode=eval", source="run"))
    assert str(error) == "run has no checkpoint best.pt\n  what it has: run/last.pt"
