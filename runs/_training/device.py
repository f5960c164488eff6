"""The device, precision and random number generators of a run."""
# pyright: reportPrivateUsage=false

from __future__ import annotations

import os
import random
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from cn import UserError
from runs import Run
from runs._course import COMPILES
from runs._processes.collectives import ALONE, Ranks
from runs._training.without_compiler import step_without_compiler

PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": None}


@dataclass(frozen=True)
class Device:
    """A run's `gpu`, `precision` and `compile`, resolved on this machine."""

    device: torch.device
    autocast: torch.dtype | None  # of the forward pass; None: fp32 throughout
    scaled: bool  # fp16 gradients would vanish without a loss scale
    compiled: bool

    def __str__(self) -> str:
        name = (
            torch.cuda.get_device_name(self.device)
            if self.device.type == "cuda"
            else f"{torch.get_num_threads()} threads"
        )
        precision = next(name for name, dtype in PRECISIONS.items() if dtype is self.autocast)
        return f"{self.device} ({name}), {precision}{', compiled' if self.compiled else ''}"


def choose(run: Run, *, steps: int, ranks: Ranks = ALONE) -> Device:
    """Return the device of a run of `steps` steps; UserError for a missing GPU."""
    count = torch.cuda.device_count()
    if run.gpu is not None and run.gpu >= count:
        there = (
            f"it has {count}: {', '.join(f'gpu={i}' for i in range(count))}"
            if count
            else "it has none that torch can use"
        )
        raise UserError(f"gpu={run.gpu}: this machine has no GPU {run.gpu}", there, "for the CPU: gpu=-1")
    cuda = run.gpu != -1 and count > 0
    number = run.gpu or 0
    if cuda and ranks.size > 1:
        if run.gpu is not None:
            what = f"gpu={run.gpu}: each of the {ranks.size} processes of this run has a GPU of its own"
            raise UserError(what, "leave out gpu; for the CPU: gpu=-1")
        if count > 1:  # srun may show each process only its own GPU
            number = ranks.local
        if number >= count:
            raise UserError(f"this machine has {count} GPUs, and this run more processes on it", "start fewer")
    device = torch.device("cuda", number) if cuda else torch.device("cpu")
    if run.precision == "fp16" and not cuda:
        raise UserError("precision=fp16: a CPU does not train in fp16", "nearest: precision=bf16")
    precision = _auto(run, device, ranks) if run.precision == "auto" else run.precision
    compiled = run.compile if run.compile is not None else cuda and steps >= COMPILES
    return Device(device, PRECISIONS[precision], precision == "fp16", compiled)


def _auto(run: Run, device: torch.device, ranks: Ranks) -> str:
    """Return the fastest precision that is right for the task and that no device of the run emulates."""
    if run.task._exact:
        return "fp32"
    emulated = device.type == "cpu"
    if device.type == "cuda":
        with torch.cuda.device(device):  # torch asks the current device
            emulated = not torch.cuda.is_bf16_supported(including_emulation=False)
    if ranks.size > 1:
        emulated = ranks.all_max(int(emulated)) > 0
    return "fp32" if emulated else "bf16"


def prepare(run: Run, device: Device) -> None:
    """Set torch's global options, and seed every generator."""
    if device.device.type == "cuda":
        torch.cuda.set_device(device.device)
        exact = run.precision == "fp32" or (run.precision == "auto" and run.task._exact)
        torch.set_float32_matmul_precision("highest" if exact else "high")  # high: TF32
        torch.backends.cudnn.allow_tf32 = not exact
    if run.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    os.environ["TORCHINDUCTOR_DETERMINISTIC"] = str(int(run.deterministic))  # the compiler reads it at its import
    if "torch._inductor" in sys.modules:
        torch.use_deterministic_algorithms(run.deterministic)
    else:  # `use_deterministic_algorithms` would import the compiler
        torch.set_deterministic_debug_mode("error" if run.deterministic else "default")
    step_without_compiler()
    torch.backends.cudnn.benchmark = not run.deterministic
    random.seed(run.seed)
    np.random.seed(run.seed % 2**32)
    torch.manual_seed(run.seed)


def place(module: nn.Module, device: Device) -> nn.Module:
    """Move the module to its device; with convolutions on a GPU, in the channels-last layout of tensor cores."""
    convolves = any(isinstance(each, (nn.Conv2d, nn.ConvTranspose2d)) for each in module.modules())
    if convolves and device.device.type == "cuda":
        format_only: Any = module.to(device.device).to  # torch's stub lacks the argument
        return format_only(memory_format=torch.channels_last)
    return module.to(device.device)


def random_state(device: torch.device) -> dict[str, Any]:
    """Return the state of every random number generator of a run, as tensors and plain values."""
    version, keys, gauss = random.getstate()
    name, words, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "python": [version, list(keys), gauss],
        "numpy": [
            name,
            torch.from_numpy(np.asarray(words).astype(np.int64)),
            int(position),
            int(has_gauss),
            float(cached),
        ],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def set_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Restore the state of every random number generator."""
    version, keys, gauss = state["python"]
    random.setstate((version, tuple(keys), gauss))
    name, words, *rest = state["numpy"]
    np.random.set_state((name, words.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"], device)
