"""Every field of a run does what its comment says: none is dead."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from typing import Any

import pytest
import torch

from runs import Run, _checkpoint, _train
from runs._training.device import Device

# what is given, and what must then differ from a run without it
CHANGES: dict[str, tuple[tuple[str, ...], str]] = {
    "model": (("model=linear",), "parameters"),
    "data": (("data.validation=0.2",), "first line"),
    "optim": (("optim=sgd",), "weights"),
    "schedule": (("schedule=constant",), "weights"),
    "callbacks": (("callbacks=learning_rate",), "names of metrics"),
    "logger": (("logger=csv",), "files"),
    "epochs": (("epochs=3",), "steps"),
    "steps": (("steps=5",), "steps"),
    "accumulate": (("accumulate=2",), "steps"),
    "clip": (("clip=0.01",), "weights"),
    "task": (("task.label_smoothing=0.2",), "weights"),
    "precision": (("precision=bf16",), "weights"),
    "seed": (("seed=2",), "weights"),
    "validate_every": (("validate_every=2",), "validations"),
    "validate_steps": (("validate_steps=3",), "validations"),
    "log_every": (("log_every=2",), "logs"),
    "save_every": (("save_every=4",), "saves"),
    "folder": (("name",), "folder"),
}
ELSEWHERE = {
    "validate_batch": "test_a_validation_takes_as_many_examples_at_once_as_it_is_told",
    "init": "test_beginning.py",
    "freeze": "test_beginning.py",
    "mode": "test_eval.py",
    "launch": "tests/sweeps/test_launch.py",
    "parallel": "test_ddp.py",
    "compile": "test_compile_runs_the_compiled_network",
    "gpu": "test_a_gpu_that_is_not_there_is_refused",
    "deterministic": "test_deterministic_is_on_while_it_runs",
}


def test_each_field_of_a_run_has_a_test():
    assert {*CHANGES, *ELSEWHERE} == set(Run._fields)


@pytest.mark.parametrize("field", CHANGES)
def test_a_field_changes_what_it_says(field, go, monkeypatch):
    words, what = CHANGES[field]
    saves = 0
    save = _checkpoint.save

    def counted(*args: Any, **kwargs: Any) -> None:
        nonlocal saves
        saves += 1
        save(*args, **kwargs)

    monkeypatch.setattr(_checkpoint, "save", counted)

    def seen(name: str, *words: str) -> Any:
        nonlocal saves
        saves = 0
        run = go(name, "epochs=2" if not any(each.startswith("epochs") for each in words) else "log_every=10", *words)
        look: dict[str, Callable[[], Any]] = {
            "parameters": lambda: run.summary["parameters"],
            "first line": lambda: run.log.splitlines()[0],
            "weights": lambda: run.weights().tolist(),
            "names of metrics": lambda: sorted({key for each in run.metrics for key in each}),
            "files": lambda: sorted(each.name for each in run.folder.iterdir()),
            "steps": lambda: run.summary["step"],
            "validations": lambda: sum("validation/loss" in each for each in run.metrics),
            "logs": lambda: sum("train/loss" in each for each in run.metrics),
            "saves": lambda: saves,
            "folder": lambda: run.folder,
        }
        return look[what]()

    before = seen("before")
    assert seen("again") == before or what == "folder"
    after = seen("after") if words == ("name",) else seen("after", *words)
    assert after != before


def test_bf16_is_autocast_to_on_a_cpu(go, monkeypatch):
    seen: list[tuple[bool, torch.dtype]] = []

    def spy(*args: Any, **kwargs: Any) -> torch.Tensor:
        seen.append((torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")))
        return linear(*args, **kwargs)

    linear = torch.nn.functional.linear
    monkeypatch.setattr(torch.nn.functional, "linear", spy)
    run = go("run", "precision=bf16", "steps=2")
    assert seen
    assert set(seen) == {(True, torch.bfloat16)}  # training, validation and test alike
    assert run.weights().dtype == torch.float32
    assert run.summary["device"] == "cpu (1 threads), bf16"
    assert run.summary["state"] == "finished"


def test_deterministic_is_on_while_it_runs(go, after_step):
    seen: list[bool] = []
    after_step(1, lambda: seen.append(torch.are_deterministic_algorithms_enabled()))
    after_step(3, lambda: seen.append(torch.are_deterministic_algorithms_enabled()))
    go("yes", "deterministic=true", "steps=2")
    go("no", "deterministic=false", "steps=2")
    assert seen == [True, False]


def test_a_gpu_that_is_not_there_is_refused(go, failed, monkeypatch):
    for count, there in ((0, "it has none that torch can use"), (2, "it has 2: gpu=0, gpu=1")):
        monkeypatch.setattr(torch.cuda, "device_count", lambda count=count: count)
        error = failed(lambda count=count: go(f"run{count}", "gpu=99"))
        assert str(error) == f"gpu=99: this machine has no GPU 99\n  {there}\n  for the CPU: gpu=-1"
        assert error.status == 2


def test_gpu_minus_one_is_the_cpu_where_there_are_gpus_too(go, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert go("run", "gpu=-1", "steps=1").summary["device"] == "cpu (1 threads), fp32"


def test_fp16_is_refused_on_a_cpu(go, failed):
    error = failed(lambda: go("run", "precision=fp16"))
    assert str(error) == "precision=fp16: a CPU does not train in fp16\n  nearest: precision=bf16"
    assert error.status == 2


def test_null_compiles_nothing_on_a_cpu_however_long_the_run(go, monkeypatch):
    monkeypatch.setattr(torch, "compile", None)
    assert go("run", "steps=1").summary["device"] == "cpu (1 threads), fp32"


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # its compiler imports what it has deprecated
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles for a CPU with g++, which is not here")
def test_compile_runs_the_compiled_network(go, monkeypatch, here):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(here / "inductor"))
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")  # no pool of processes
    given: list[Any] = []
    compiled = torch.compile

    def spy(module: Any) -> Any:
        given.append(module)
        return compiled(module)

    monkeypatch.setattr(torch, "compile", spy)
    words = ("model=linear", "optim=sgd", "steps=3", "log_every=1")  # Adam enlarges errors of small gradients
    run = go("run", *words, "compile=true")
    plain = go("plain", *words)
    assert len(given) == 1
    assert run.summary["device"] == "cpu (1 threads), fp32, compiled"
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
    torch.testing.assert_close(run.weights(), plain.weights(), rtol=1e-4, atol=1e-6)  # sums in another order
    torch._dynamo.reset()


def test_without_a_compiler_the_message_says_how_to_do_without(go, failed, monkeypatch, capsys):
    def broken(module: Any) -> Any:
        from torch._inductor.exc import InvalidCxxCompiler

        raise InvalidCxxCompiler

    monkeypatch.setattr(torch, "compile", broken)
    error = failed(lambda: go("run", "compile=true", "steps=1"))
    assert str(error) == (
        "InvalidCxxCompiler: No working C++ compiler found in torch._inductor.config.cpp.cxx: (None, 'g++')\n"
        "  to leave out the compiler: compile=false\n"
        "  its traceback is above, and in run/log.txt\n"
        "  the run is in run, which has no checkpoint yet"
    )
    assert "Traceback (most recent call last)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("epochs=0", "int >= 1"),
        ("steps=0", "int >= 1 | None"),
        ("accumulate=-1", "int >= 1"),
        ("validate_every=0", "0 < int < inf | 0 < float < inf"),
        ("validate_every=-0.5", "0 < int < inf | 0 < float < inf"),
        ("validate_every=nan", "0 < int < inf | 0 < float < inf"),
        ("validate_every=inf", "0 < int < inf | 0 < float < inf"),
        ("validate_steps=0", "int >= 1 | None"),
        ("validate_batch=0", "int >= 1 | None"),
        ("log_every=0", "int >= 1"),
        ("save_every=0", "int >= 1 | None"),
        ("clip=0", "float > 0 | None"),
        ("clip=nan", "float > 0 | None"),
        ("task.label_smoothing=1", "0 <= float < 1"),
        ("task.label_smoothing=nan", "0 <= float < 1"),
        ("task.mixup=-0.1", "0 <= float < inf"),
        ("task.cutmix=inf", "0 <= float < inf"),
        ("gpu=-2", "int >= -1 | None"),
        ("seed=-1", "0 <= int < 9223372036854775808"),
        ("seed=9223372036854775808", "0 <= int < 9223372036854775808"),
    ],
)
def test_a_value_out_of_range_is_refused(word, told, go, failed):
    error = failed(lambda: go("run", word))
    name, _, value = word.partition("=")
    assert str(error).splitlines()[0] == f"{word}: {name} is {told}, not {value}"
    assert error.status == 2


def test_fp16_scales_the_loss_and_a_resume_brings_the_scale_back(go, failed, after_step, differences, monkeypatch):
    """As on a GPU, with the scale alone: powers of two change no bit of a gradient."""
    words = ("epochs=2", "clip=0.5", "accumulate=2", "log_every=2")
    plain = go("plain", *words)
    monkeypatch.setattr(_train, "choose", lambda run, *, steps, ranks: Device(torch.device("cpu"), None, True, False))
    scaled = go("scaled", *words)
    assert scaled.state()["scaler"]["scale"] == 65536.0
    torch.testing.assert_close(scaled.weights(), plain.weights(), rtol=1e-4, atol=1e-6)
    assert [each["step"] for each in scaled.metrics] == [each["step"] for each in plain.metrics]
    losses = [[each["train/loss"] for each in run.metrics if "train/loss" in each] for run in (plain, scaled)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)  # what is told is not scaled
    after_step(3, lambda: signal.raise_signal(signal.SIGINT))
    failed(lambda: go("parts", *words))
    assert differences(scaled.state(), go(source="parts").state()) == []
