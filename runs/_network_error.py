"""Short reports of errors inside a network: which network and module failed, where, and with which input shapes."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from cn import CN, UserError
from cn.discovery.source import file, place
from cn.errors import short
from cn.nodes.traversal import values
from models import Model
from runs import Run

INSTALLED = {"site-packages", "dist-packages"}  # installed packages, not the user's code
CALL = "_call_impl"  # torch calls every module through it
LIBRARY = Path(os.__file__).parent  # the standard library


class Call(NamedTuple):
    """A running module call, and the input shapes."""

    module: nn.Module
    given: str


def unfit(error: BaseException, run: Run) -> UserError | None:
    """Return the error to report for one that the run's network raised; None for an error from elsewhere.

    torch and einops raise RuntimeError for wrong shapes; for other errors the traceback is more useful.
    """
    if not isinstance(error, RuntimeError):
        return None
    calls, own = list(_calls(error)), _networks(error)
    first = next((place for place, each in enumerate(calls) if any(each.module is one for one in own)), None)
    if first is None:
        return None
    network, *parts = calls[first:]
    address, node = _node(run, network.module, [each.module for each in parts])
    raised = f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")
    on = f" on {network.given}" if network.given else ""
    inside = None
    if parts:
        module, given = parts[-1]
        name = next((name for name, each in network.module.named_modules() if each is module), "a part without a name")
        kind = type(module).__name__ if next(module.children(), None) is not None else repr(module)
        inside = f"in {name}, {short(kind)}{f', given {given}' if given else ''}"
    what = f"{address}: the network of {type(node).__name__} fails{on}: {short(raised)}"
    return UserError(what, inside, _line(error), f"{type(node).__name__} is defined in {place(type(node))}")


def without_gradient(error: BaseException) -> list[str]:
    """Return the weights whose gradients the processes of a run waited for in vain; [] for another error."""
    found = re.search(r"did not receive grad for rank \d+: ([\d ]+)", str(error))
    module = next(iter(_networks(error)), None)
    if found is None or module is None:
        return []
    names = [name for name, each in module.named_parameters() if each.requires_grad]  # as DDP numbers them
    return [names[int(number)] for number in found[1].split()]


def _networks(error: BaseException) -> list[nn.Module]:
    """Return the networks of the run that the traceback's frames hold."""
    found: list[Any] = []
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if str(frame.f_globals.get("__name__", "")).startswith("runs._"):
            training = frame.f_locals.get("training")
            found += [
                frame.f_locals.get("module"),
                getattr(training, "module", None),
                getattr(training, "average", None),
            ]
    return [each for each in found if isinstance(each, nn.Module)]


def _calls(error: BaseException) -> Iterator[Call]:
    """Yield the module calls in the traceback, the network first, with the shapes of their arguments."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        module = frame.f_locals.get("self")
        if frame.f_code.co_name == CALL and isinstance(module, nn.Module):
            if isinstance(module, DistributedDataParallel):
                continue
            given = [times(each.shape) for each in frame.f_locals["args"] if isinstance(each, Tensor)]
            yield Call(getattr(module, "_orig_mod", module), " and ".join(given))  # unwraps torch.compile


def _node(run: Run, network: nn.Module, parts: list[nn.Module]) -> tuple[str, CN]:
    """Return the model that built the failed module, of the run or of its task, and its address."""
    named = {id(part): name for name, part in network.named_children()}
    for address, node in [*_models("", run), *_models("task.", run.task)]:
        if any(named.get(id(part)) == address.rpartition(".")[2] for part in parts) and address != "model":
            return address, node
    return "model", run.model


def _models(above: str, node: CN) -> list[tuple[str, CN]]:
    return [(f"{above}{name}", each) for name, each in values(node).items() if isinstance(each, Model)]


def _line(error: BaseException) -> str | None:
    """Return the innermost line of the user's own code below the network's call."""
    found: str | None = None
    inside = False
    for frame, number in traceback.walk_tb(error.__traceback__):
        path = Path(frame.f_code.co_filename)
        inside = inside or frame.f_code.co_name == CALL
        installed = INSTALLED.intersection(path.parts) or path.is_relative_to(LIBRARY)
        if inside and path.is_file() and not installed:
            found = f"at {file(frame.f_globals.get('__name__', ''))}:{number}"
    return found


def times(sizes: Any) -> str:
    """Format a shape as 8x3x32x32."""
    return "x".join(map(str, sizes)) or "a number"
