"""Pyright, in strict mode, understands nodes: what is right passes, and what is wrong is reported where it stands."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.cn.conftest import REPOSITORY

pytestmark = pytest.mark.slow

SOURCE = """\
from __future__ import annotations

import dataclasses
from abc import abstractmethod
from pathlib import Path
from typing import Literal

import pytest

from cn import CN, Bundle, Job, compose, derive, load, main
from cn.testing import Compose, Keys


class Model(CN):
    @abstractmethod
    def build(self, *, inputs: int) -> str: ...


class MLP(Model):
    width: int = 32
    kind: Literal["a", "b"] = "a"

    def build(self, *, inputs: int) -> str:
        return "x" * self.width * inputs


class Both(Bundle):
    one: Model = MLP()


class Run(CN):
    bundled: dict[str, Model] | None = Both(one=MLP(width=3))
    model: Model = MLP(width=3)
    teacher: Model | None = None
    models: dict[str, Model] = {}
    steps: int = 100
    warmup: int = derive(lambda run: 3)
    out: Path = Path("x")
    needed: float


def train(run: Run, job: Job) -> float:
    reveal_type(run.model)
    reveal_type(run.teacher)
    reveal_type(run.model.build(inputs=3))
    reveal_type(run.warmup)
    return run.needed / run.steps


main(train)
run = compose(Run, ["needed=1"])
reveal_type(run)
reveal_type(compose(Run(needed=1)))
reveal_type(dataclasses.replace(run, steps=3))
reveal_type(Both())
run.steps = 3
changed: Run = load("folder")

Run(needed=1, stepz=3)  # wrong: no such field
Run(needed="x")  # wrong: type
Run()  # wrong: required
Run(1)  # wrong: by name only
MLP(kind="c")  # wrong: not in the Literal
Run(needed=1, model=3)  # wrong: no node
run.model.widht  # wrong: no such attribute
run.teacher.build(inputs=3)  # wrong: may be None
run.model.build()  # wrong: an argument is missing
run.steps = "x"  # wrong: type
Model()  # wrong: abstract


class Wrong(CN):
    size: int = "x"  # wrong: default
    late: str = derive(lambda run: 3)  # wrong: what is derived


def test(compose: Compose, keys: Keys) -> None:
    reveal_type(compose(Run, "needed=1"))
    reveal_type(keys(Run))
    keys(3)  # wrong: no class and no group


pytest.fail(run.out)  # wrong: no str
"""


KNOWN = [
    ("reveal_type(run.model)", 'Type of "run.model" is "Model"'),
    ("reveal_type(run.teacher)", 'Type of "run.teacher" is "Model | None"'),
    ("reveal_type(run.model.build(inputs=3))", 'Type of "run.model.build(inputs=3)" is "str"'),
    ("reveal_type(run.warmup)", 'Type of "run.warmup" is "int"'),
    ("reveal_type(run)", 'Type of "run" is "Run"'),
    ("reveal_type(compose(Run(needed=1)))", 'Type of "compose(Run(needed=1))" is "Run"'),
    ("reveal_type(dataclasses.replace(run, steps=3))", 'Type of "dataclasses.replace(run, steps=3)" is "Run"'),
    ("reveal_type(Both())", 'Type of "Both()" is "dict[str, Any]"'),
    ('reveal_type(compose(Run, "needed=1"))', 'Type of "compose(Run, "needed=1")" is "Run"'),
    ("reveal_type(keys(Run))", 'Type of "keys(Run)" is "list[str]"'),
]
WRONG = [
    ("Run(needed=1, stepz=3)  # wrong: no such field", "reportCallIssue", 'No parameter named "stepz"'),
    (
        'Run(needed="x")  # wrong: type',
        "reportArgumentType",
        'Argument of type "Literal[\'x\']" cannot be assigned to parameter "needed" of type "float"',
    ),
    ("Run()  # wrong: required", "reportCallIssue", 'Argument missing for parameter "needed"'),
    ("Run(1)  # wrong: by name only", "reportCallIssue", "Expected 0 positional arguments"),
    (
        'MLP(kind="c")  # wrong: not in the Literal',
        "reportArgumentType",
        "Argument of type \"Literal['c']\" cannot be assigned to parameter \"kind\" of type \"Literal['a', 'b']\"",
    ),
    (
        "Run(needed=1, model=3)  # wrong: no node",
        "reportArgumentType",
        'Argument of type "Literal[3]" cannot be assigned to parameter "model" of type "Model"',
    ),
    ("run.model.widht  # wrong: no such attribute", "reportUnknownMemberType", 'Type of "widht" is unknown'),
    (
        "run.model.widht  # wrong: no such attribute",
        "reportAttributeAccessIssue",
        'Cannot access attribute "widht" for class "Model"',
    ),
    (
        "run.teacher.build(inputs=3)  # wrong: may be None",
        "reportOptionalMemberAccess",
        '"build" is not a known attribute of "None"',
    ),
    (
        "run.model.build()  # wrong: an argument is missing",
        "reportCallIssue",
        'Argument missing for parameter "inputs"',
    ),
    (
        'run.steps = "x"  # wrong: type',
        "reportAttributeAccessIssue",
        'Cannot assign to attribute "steps" for class "Run"',
    ),
    ("Model()  # wrong: abstract", "reportAbstractUsage", 'Cannot instantiate abstract class "Model"'),
    (
        'size: int = "x"  # wrong: default',
        "reportAssignmentType",
        'Type "Literal[\'x\']" is not assignable to declared type "int"',
    ),
    (
        "late: str = derive(lambda run: 3)  # wrong: what is derived",
        "reportAssignmentType",
        'Type "int" is not assignable to declared type "str"',
    ),
    (
        "keys(3)  # wrong: no class and no group",
        "reportArgumentType",
        'Argument of type "Literal[3]" cannot be assigned to parameter "what" of type "type | str"',
    ),
    (
        "pytest.fail(run.out)  # wrong: no str",
        "reportArgumentType",
        'Argument of type "Path" cannot be assigned to parameter "reason" of type "str"',
    ),
]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str, str]]:
    """Each report as the source of its line, its rule or severity, and what it says."""
    folder = tmp_path_factory.mktemp("typing")
    (folder / "use.py").write_text(SOURCE)
    settings = {"typeCheckingMode": "strict", "extraPaths": [str(REPOSITORY)], "pythonVersion": "3.11"}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)["generalDiagnostics"]
    except ValueError:
        pytest.skip(f"pyright cannot start here: {(done.stderr or done.stdout).strip()[:200]}")
    lines = SOURCE.split("\n")
    return [
        (
            lines[each["range"]["start"]["line"]].strip(),
            each.get("rule", each["severity"]),
            each["message"].split("\n")[0].split(" in function ")[0],
        )
        for each in found
    ]


def test_the_types_of_nodes_are_known(reports: list[tuple[str, str, str]]) -> None:
    assert [(line, message) for line, rule, message in reports if rule == "information"] == KNOWN


def test_what_is_wrong_is_reported_and_nothing_else(reports: list[tuple[str, str, str]]) -> None:
    found = [(line, rule, message) for line, rule, message in reports if rule != "information"]
    assert found == WRONG
    marked = [line.strip() for line in SOURCE.split("\n") if "# wrong" in line]
    assert list(dict.fromkeys(line for line, *_ in found)) == marked
