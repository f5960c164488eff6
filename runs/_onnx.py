"""A run's network as an ONNX file, which runs without Python: its graph with its weights."""

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
from cn.errors import lines, short
from runs._checkpoint import on_disk
from runs._needed import need as need_parts
from runs._needed import refuse_absent
from runs._parts import EXAMPLES

if TYPE_CHECKING:
    from data import Dataset
    from runs import Run
    from runs.task import Objective

SUFFIX = ".onnx"
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
TOLERANCE = 1e-4  # of the largest output, or of 1 where all are smaller
WEIGHTS = "its weights alone: -o FILE.safetensors"


def need(what: str, run: Run) -> None:
    """UserError where a library is not installed that writes the file, runs it, or builds the run's network."""
    refuse_absent(what, PACKAGES, extra="hub")
    need_parts(run)


def write(run: Run, weights: dict[str, Tensor], path: Path) -> float:
    """Write the network of a run with these weights, and compare its outputs in onnxruntime with those of torch.

    They are compared on a batch of EXAMPLES of the validation data, and on the first of them alone, since the number
    of examples is free. Returns the largest difference. Raises RunError for a network that ONNX cannot express, and
    where the outputs differ by more than TOLERANCE.
    """
    network, inputs = _network(run, weights)
    graph = _graph(run, network, inputs)
    with on_disk(path) as file:
        file.write(graph)
    worst = 0.0
    for count in (len(inputs[0]), 1):
        given = [each[:count] for each in inputs]
        with torch.no_grad():
            expected = [each for each in pytree.tree_leaves(network(*given)) if isinstance(each, Tensor)]
        found = _outputs(path, given)
        if [each.shape for each in expected] != [each.shape for each in found]:
            raise RunError(lines(f"onnxruntime gives other shapes than torch for {count} examples", WEIGHTS))
        for one, other in zip(expected, found, strict=True):
            difference = float((one.double() - other.double()).abs().max())
            allowed = TOLERANCE * max(1.0, float(one.abs().max()))
            if not difference <= allowed:
                what = f"the outputs in onnxruntime differ by {difference:.1e} from those in torch"
                raise RunError(lines(what, f"allowed is {allowed:.1e}", WEIGHTS))
            worst = max(worst, difference)
    return worst


def _network(run: Run, weights: dict[str, Tensor]) -> tuple[nn.Module, list[Tensor]]:
    """The network in evaluation on the CPU, and what the run's task gives it of some validation examples."""
    data: Dataset = run.data.build(seed=run.seed)
    objective: Objective = run.task.build(model=run.model, data=data)
    network = objective.network.eval()
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        what = f"the run's weights do not fit the network that {type(run.model).__name__} builds now"
        raise RunError(lines(what, short(" ".join(str(error).split())), WEIGHTS)) from error
    seen: list[tuple[Any, ...]] = []

    def watched(*inputs: Any) -> Any:
        seen.append(inputs)
        return network(*inputs)

    with torch.no_grad():
        objective.measure(watched, data.validation.batch(torch.arange(min(EXAMPLES, len(data.validation)))))
    inputs = list(seen[0]) if seen else []
    if not inputs or not all(isinstance(each, Tensor) for each in inputs):
        what = f"{type(run.task).__name__} gives its network other things than tensors, which ONNX cannot take"
        raise RunError(lines(what, WEIGHTS))
    return network, inputs


def _graph(run: Run, network: nn.Module, inputs: list[Tensor]) -> bytes:
    batch: Any = torch.export.Dim.DYNAMIC
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):  # of a graph that fails it prints all of it
            warnings.simplefilter("ignore")  # of the exporter's own parts about one another
            program = torch.onnx.export(
                network,
                tuple(inputs),
                dynamo=True,
                verbose=False,
                dynamic_shapes=tuple({0: batch} for _ in inputs),
            )
        assert program is not None
        return program.model_proto.SerializeToString()
    except Exception as error:  # the exporter raises what the network's code and its own parts raise
        what = f"the network of {type(run.model).__name__} cannot be written as ONNX"
        raise RunError(lines(what, _why(error), WEIGHTS)) from error


def _outputs(path: Path, inputs: list[Tensor]) -> list[Tensor]:
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_inputs()]
        given = {name: each.numpy() for name, each in zip(names, inputs, strict=True)}
        return [torch.from_numpy(each) for each in session.run(None, given)]
    except Exception as error:  # it has an exception of its own for each kind of failure, with no common class
        what = f"onnxruntime cannot run the file on {len(inputs[0])} examples"
        raise RunError(lines(what, _why(error), WEIGHTS)) from error


def _why(error: BaseException) -> str:
    """The first line of the cause: the exporter's own error tells how to report it, and its cause what happened."""
    cause = error.__cause__ or error
    said = next((line for line in str(cause).splitlines() if line.strip()), "")
    return short(f"{type(cause).__name__}: {said}".removesuffix(": "))
