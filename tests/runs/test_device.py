"""Where a run computes and how precisely; that no step waits for the device, looked at in torch's own operations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from data import send
from runs._processes.collectives import Ranks
from runs._processes.rendezvous import joined
from runs._training.device import Device, choose, place, prepare
from runs.callbacks import Callback
from runs.callbacks._hooks import Hooks
from runs.callbacks.ema import Ema
from runs.callbacks.learning_rate import LearningRate
from runs.default import Default

CUDA = torch.device("cuda", 0)
needs_gpu = pytest.mark.usefixtures("gpu")
VARIED = ("data.crop=1", "data.flip=true", "data.cutout=3", "data.randaugment=2", "task.label_smoothing=0.1")
MIXED = ("task.mixup=0.2", "task.cutmix=1")
BY_STEP = {  # each with epochs of 9 steps or 4, and logs within them
    "convolutions": ("model=resnet9", "model.width=4", "optim=sgd", "clip=1", "accumulate=2", *VARIED),
    "adamw": ("model=resnet18", "model.width=4", "optim=adamw", "precision=bf16"),
    "muon": ("model=vit", "model.dim=12", "model.depth=2", "optim=muon", "clip=1", *VARIED),
}


@pytest.fixture
def one_gpu(gpus: Callable[..., None]) -> Callable[[bool], None]:
    """Have torch believe in one GPU, which has bf16 or only emulates it."""

    return lambda bf16: gpus(bf16)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have torch believe in GPUs, each of which has bf16 or only emulates it, and of which 0 is the current one."""
    current = [0]

    @contextmanager
    def device(given: torch.device) -> Iterator[None]:
        current.append(given.index)
        yield
        current.pop()

    def gpus(*bf16: bool) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(bf16))
        monkeypatch.setattr(torch.cuda, "device", device)
        monkeypatch.setattr(
            torch.cuda,
            "is_bf16_supported",
            lambda including_emulation=True: including_emulation or bf16[current[-1]],
        )

    return gpus


@pytest.mark.parametrize(
    ("bf16", "run", "steps", "chosen"),
    [
        (True, Default(), 999, Device(CUDA, torch.bfloat16, scaled=False, compiled=False)),
        (True, Default(), 1000, Device(CUDA, torch.bfloat16, scaled=False, compiled=True)),
        (True, Default(compile=False), 1000, Device(CUDA, torch.bfloat16, scaled=False, compiled=False)),
        (True, Default(compile=True), 1, Device(CUDA, torch.bfloat16, scaled=False, compiled=True)),
        (False, Default(), 1, Device(CUDA, None, scaled=False, compiled=False)),
        (False, Default(precision="bf16"), 1, Device(CUDA, torch.bfloat16, scaled=False, compiled=False)),
        (True, Default(precision="fp16"), 1, Device(CUDA, torch.float16, scaled=True, compiled=False)),
        (True, Default(precision="fp32"), 1, Device(CUDA, None, scaled=False, compiled=False)),
        (True, Default(gpu=-1), 1000, Device(torch.device("cpu"), None, scaled=False, compiled=False)),
    ],
    ids=["auto", "long", "not compiled", "compiled", "emulated", "asked for", "fp16", "fp32", "cpu"],
)
def test_a_gpu_is_taken_in_bf16_and_compiled_for_where_the_run_is_long(one_gpu, bf16, run, steps, chosen):
    one_gpu(bf16)
    assert choose(run, steps=steps) == chosen


def test_the_gpu_that_is_chosen_is_asked(gpus):
    gpus(False, True)
    assert [choose(Default(gpu=each), steps=1).autocast for each in (0, 1)] == [None, torch.bfloat16]


@pytest.mark.parametrize(
    ("bf16", "precision", "chosen"),
    [
        ((False, True), "auto", None),
        ((True, False), "auto", None),
        ((True, True), "auto", torch.bfloat16),
        ((True, False), "bf16", torch.bfloat16),
    ],
    ids=["first emulates", "second emulates", "both have it", "asked for"],
)
def test_all_processes_compute_as_precisely(gpus, ranks, bf16, precision, chosen):
    """Two real processes agree, on what GPUs that are not there have."""
    gpus(*bf16)

    def run() -> None:
        with joined(cuda=False) as met:
            mine = Ranks(met.rank, met.size, met.rank)
            assert choose(Default(precision=precision), steps=1, ranks=mine) == Device(
                torch.device("cuda", met.rank), chosen, scaled=False, compiled=False
            )

    assert ranks(2, run) == [0, 0]


@pytest.mark.parametrize(("precision", "tf32"), [("auto", True), ("bf16", True), ("fp16", True), ("fp32", False)])
def test_a_gpu_multiplies_in_tf32_unless_fp32_is_asked_for(monkeypatch, precision, tf32):
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    try:
        prepare(Default(precision=precision), Device(CUDA, None, scaled=False, compiled=False))
        assert torch.backends.cuda.matmul.allow_tf32 == torch.backends.cudnn.allow_tf32 == tf32
        assert torch.backends.cudnn.benchmark
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = before[1:]


def test_what_goes_to_a_gpu_is_pinned_first_and_not_waited_for(monkeypatch):
    done: list[Any] = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: done.append("pinned") or self)
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *args, **named: done.append((args, named)) or self)
    send(torch.arange(3), CUDA)
    assert done == ["pinned", ((CUDA,), {"non_blocking": True})]
    send(torch.arange(3), torch.device("cpu"))
    assert done[2:] == [((torch.device("cpu"),), {"non_blocking": True})]


class _Between(Hooks):
    """Does something after one step, and something else after a later one."""

    first: ClassVar[Callable[[], None]]
    last: ClassVar[Callable[[], None]]

    def on_step(self, training: Any) -> None:
        if training.step == 3:
            type(self).first()
        if training.step == 20:
            type(self).last()


class _Looked(Callback):
    def build(self) -> Hooks:
        return _Between()


RUN = Default(
    callbacks={"ema": Ema(), "rate": LearningRate(), "looked": _Looked()}, steps=25, log_every=3, validate_every=100
)


class Waits(TorchDispatchMode):
    """Counts the operations that a GPU's host would wait for, however deep in torch they are asked for."""

    READS = ("aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal", "aten::_unique2")

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()
        self.all = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        name = func._schema.name
        self.all += 1
        by_truth = name.startswith("aten::index") and any(
            isinstance(each, torch.Tensor) and each.dtype == torch.bool
            for arg in args[1:2]
            for each in (arg if isinstance(arg, (list, tuple)) else [arg])
        )
        if name in self.READS or by_truth:
            self.seen[name] += 1
        return func(*args, **(kwargs or {}))


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[Waits]:
    """What is asked for in the steps 4 to 20."""
    mode = Waits()
    monkeypatch.setattr(_Between, "first", mode.__enter__, raising=False)
    monkeypatch.setattr(_Between, "last", lambda: mode.__exit__(None, None, None), raising=False)
    return mode


@pytest.mark.parametrize("words", BY_STEP.values(), ids=list(BY_STEP))
def test_of_all_that_17_steps_do_on_a_cpu_only_a_log_is_read(go, waits, words):
    """The step, the log, the average and the next epoch: no number is asked for but the loss, one log late."""
    run = go("run", *words, "data.batch_size=128", of=RUN)
    logs = [each["step"] for each in run.metrics if "train/loss" in each]
    assert logs == [3, 6, 9, 12, 15, 18, 21, 24, 25]
    assert waits.all > 1000
    assert waits.seen == {"aten::_local_scalar_dense": 5}  # those of 3 to 15: at steps 6 to 18


@needs_gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
def test_the_mode_of_torch_sees_a_host_that_waits():
    torch.cuda.set_sync_debug_mode("error")
    try:
        with pytest.raises(RuntimeError, match="synchroniz"):
            torch.ones((), device=CUDA).item()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@needs_gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")  # its compiler imports what it has deprecated
@pytest.mark.parametrize(
    "words",
    [
        *BY_STEP.values(),
        ("model=resnet18", "model.width=4", "precision=fp16", "optim=sgd", "clip=1"),
        ("model=resnet9", "model.width=4", "precision=fp16", "optim=adamw"),
        ("model=resnet9", "model.width=4", "optim=sgd", "compile=true", *VARIED),
    ],
    ids=[*BY_STEP, "fp16, clipped", "fp16", "compiled"],
)
def test_no_step_waits_for_a_gpu(go, monkeypatch, words):
    """Forward, backward, clip, step, log, average and the next epoch; torch raises where the host would wait.

    In fp16 that holds for fused optimisers: any other is stepped only after its gradients are known to be finite.
    """
    monkeypatch.setattr(_Between, "first", lambda: torch.cuda.set_sync_debug_mode("error"), raising=False)
    monkeypatch.setattr(_Between, "last", lambda: torch.cuda.set_sync_debug_mode("default"), raising=False)
    try:
        run = go("run", *words, "data.batch_size=128", of=RUN)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert run.summary["state"] == "finished"
    assert run.summary["device"].startswith("cuda:0")


@needs_gpu
def test_convolutions_on_a_gpu_lie_in_channels_last_and_their_optimiser_is_fused():
    from models.resnet9 import ResNet9
    from runs.optim.sgd import Sgd

    network = ResNet9(width=4).build(inputs=(3, 8, 8), classes=10)
    module = place(network, Device(CUDA, None, scaled=False, compiled=False))
    weights = [each for each in module.parameters() if each.ndim == 4]
    assert weights
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in weights)
    assert all(group["fused"] for group in Sgd().build(module).param_groups)
