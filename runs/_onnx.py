"""Export of a run's network with its weights as an ONNX file, which runs without Python."""

from __future__ import annotations

import io
import warnings
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from cn import RunError
from cn.errors import short
from runs._packages import need as need_parts
from runs._packages import refuse_absent
from runs._training.built import EXAMPLES

if TYPE_CHECKING:
    from data import Dataset
    from runs import Run
    from runs.task import Objective

SUFFIX = ".onnx"
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
TOLERANCE = 1e-4  # relative to the largest output, or to 1 if all are smaller
WEIGHTS = "its weights alone: -o FILE.safetensors"


def need(what: str, run: Run) -> None:
    """Raise UserError if a library that exports, runs or builds the network is missing."""
    refuse_absent(what, PACKAGES, extra="hub")
    need_parts(run)


def write(run: Run, weights: dict[str, Tensor], path: Path) -> float:
    """Write the network of a run with these weights, and compare its outputs in onnxruntime with those of torch.

    The comparison uses a batch of EXAMPLES validation examples, and only the first of them, since the batch size is
    dynamic. Returns the largest difference. Raises RunError if ONNX cannot express the network, or if the outputs
    differ
    by more than TOLERANCE.
    """
    network, inputs = _network(run, weights)
    graph = _graph(run, network, inputs)
    path.write_bytes(graph)
    worst = 0.0
    for count in (len(inputs[0]), 1):
        given = [each[:count] for each in inputs]
        with torch.no_grad():
            expected = [each for each in pytree.tree_leaves(network(*given)) if isinstance(each, Tensor)]
        found = _outputs(path, given)
        if [each.shape for each in expected] != [each.shape for each in found]:
            raise RunError(f"onnxruntime gives other shapes than torch for {count} examples", WEIGHTS)
        for one, other in zip(expected, found, strict=True):
            difference = float((one.double() - other.double()).abs().max())
            allowed = TOLERANCE * max(1.0, float(one.abs().max()))
            if not difference <= allowed:
                what = f"the outputs in onnxruntime differ by {difference:.1e} from those in torch"
                raise RunError(what, f"allowed is {allowed:.1e}", WEIGHTS)
            worst = max(worst, difference)
    return worst


def _network(run: Run, weights: dict[str, Tensor]) -> tuple[nn.Module, list[Tensor]]:
    """Return the network on the CPU in eval mode, and its inputs for some validation examples."""
    data: Dataset = run.data.build(seed=run.seed)
    objective: Objective = run.task.build(model=run.model, data=data)
    network = objective.network.eval()
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        what = f"the run's weights do not fit the network that {type(run.model).__name__} builds now"
        raise RunError(what, short(" ".join(str(error).split())), WEIGHTS) from error
    seen: list[tuple[Any, ...]] = []

    def watched(*inputs: Any) -> Any:
        seen.append(inputs)
        return network(*inputs)

    with torch.no_grad():
        objective.measure(watched, data.validation.batch(torch.arange(min(EXAMPLES, len(data.validation)))))
    inputs = list(seen[0]) if seen else []
    task = type(run.task).__name__
    if not inputs:
        raise RunError(f"{task} measures without calling its network, so that ONNX has no inputs", WEIGHTS)
    if others := list(dict.fromkeys(short(repr(each)) for each in inputs if not isinstance(each, Tensor))):
        what = f"{task} calls its network with {' and '.join(others)} beside tensors, and ONNX takes tensors alone"
        raise RunError(what, WEIGHTS)
    return network, inputs


def _graph(run: Run, network: nn.Module, inputs: list[Tensor]) -> bytes:
    batch: Any = torch.export.Dim.DYNAMIC
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):  # a failed export prints its whole graph
            warnings.simplefilter("ignore")  # warnings between parts of the exporter
            program = torch.onnx.export(
                network,
                tuple(inputs),
                dynamo=True,
                verbose=False,
                dynamic_shapes=tuple({0: batch} for _ in inputs),
            )
        assert program is not None
        return program.model_proto.SerializeToString()
    except Exception as error:  # the exporter raises errors of the network's code and of its own
        what = f"the network of {type(run.model).__name__} cannot be written as ONNX"
        raise RunError(what, _why(error), WEIGHTS) from error


def _outputs(path: Path, inputs: list[Tensor]) -> list[Tensor]:
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_inputs()]
        given = {name: each.numpy() for name, each in zip(names, inputs, strict=True)}
        return [torch.from_numpy(each) for each in session.run(None, given)]
    except Exception as error:  # its exceptions have no common base class
        what = f"onnxruntime cannot run the file on {len(inputs[0])} examples"
        raise RunError(what, _why(error), WEIGHTS) from error


def _why(error: BaseException) -> str:
    """Return the first line of the cause: the exporter's own error only tells how to report it."""
    cause = error.__cause__ or error
    said = next((line for line in str(cause).splitlines() if line.strip()), "")
    return short(f"{type(cause).__name__}: {said}".removesuffix(": "))
