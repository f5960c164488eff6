"""`--from` a run of Hydra whose tree was imported since: the same configuration, or a message that says why not."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from cn.importing.old_run.texts import UnknownTextError, arithmetic
from cn.importing.old_run.written import Written, config_of
from tests.cn.conftest import start
from tests.cn.importing.test_forms import FORMS
from tests.cn.importing.trees import Imported, Old, imported, old_runs

FILES = {
    "config": """
    defaults:
      - model: small
      - optim@model.optim: bert-nrms
      - logger: null
      - _self_
      - debug: null
    seed: 1
    class: a  # no name in Python
    out: ${hydra:runtime.output_dir}/x
    steps: [1, '${seed}']
    """,
    "model/base": """
    _target_: nets.Net
    dim: 8
    warmup: ${eval:'${seed} * 100'}
    head: {_target_: nets.Head, bias: true}
    """,
    "model/small": "defaults: [base]\ndim: 4\nhead: {bias: false}",
    "model/other": "_target_: nets.Other\nwidth: 2",
    "optim/bert-nrms": "lr: 1e-3",
    "optim/sgd": "lr: 2e-3\nmomentum: 0.9",
    "logger/csv": "csv: {_target_: logs.Csv, dir: '${out}'}",
    "debug/fast": """
    # @package _global_
    defaults: [override /model: base]
    seed: 2
    model: {dim: 2}
    logger: {csv: {dir: d}}
    """,
}
SETS = (
    "",
    "model=base",
    "model=other",
    "model=base optim@model.optim=sgd model.optim.lr=5 seed=3",
    "debug=fast",
    "debug=fast logger=csv",
    "model.warmup=7 seed=4",
    "model.warmup='${model.dim}'",
    "logger=csv logger.csv.dir=here class=b",
    "steps=[5,6,7]",
)


def olds(tree: Imported, *sets: str, bare: bool = False) -> list[Old]:
    return old_runs(tree, [("config", each.split()) for each in sets], bare=bare)


def left(folder: Path, config: str, hydra: str = "") -> Path:
    """Write an old run, and return its folder."""
    inner = folder / "old/.hydra"
    inner.mkdir(parents=True, exist_ok=True)
    (inner / "config.yaml").write_text(textwrap.dedent(config).lstrip("\n"))
    (inner / "hydra.yaml").unlink(missing_ok=True)  # of another test
    if hydra:
        (inner / "hydra.yaml").write_text(hydra)
    return folder / "old"


def started(tree: Imported, *words: str) -> subprocess.CompletedProcess[str]:
    return start(tree.folder, "train.py", *words, PYTHONWARNINGS="default")


def shown(tree: Imported, *words: str) -> str:
    """Return what a command of the project prints, or its error."""
    done = started(tree, *words)
    return done.stdout if done.returncode == 0 else done.stderr


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Imported:
    return imported(tmp_path_factory.mktemp("tree"), FILES)


@pytest.mark.slow
@pytest.mark.parametrize("bare", [False, True], ids=["with hydra.yaml", "config.yaml alone"])
def test_an_old_run_is_the_same_configuration(bare: bool, tmp_path: Path) -> None:
    found = olds(imported(tmp_path, FILES), *SETS, bare=bare)
    assert [each.overrides for each in found if each.difference] == []
    assert [each.overrides for each in found if not each.loaded] == ([["debug=fast"]] if bare else [])
    assert [each.overrides for each in found if each.told] == [["debug=fast"]]  # its change of a logger waits for one


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_an_old_run_of_each_form_is_the_same_or_told(form: str, tmp_path: Path) -> None:
    files, sets = FORMS[form]
    for each in olds(imported(tmp_path, files, exact=True), "", *sets):
        assert each.difference == "" or each.told
        assert each.loaded or each.told


@pytest.mark.slow
def test_a_command_prints_the_same_run(tree: Imported) -> None:
    old = left(tree.folder, CONFIG, SETTINGS)
    words = ["run=config", "model=base", "model/optim=sgd", "seed=3", "model.head.bias=false"]
    expected = shown(tree, *words, "--cfg", "job")
    assert "warmup=300" in expected
    for path in (old, old / ".hydra", old / ".hydra/config.yaml"):
        assert shown(tree, "--from", str(path), "--cfg", "job") == expected
    changed = shown(tree, "--from", str(old), "seed=4", "model.dim=5", "--cfg", "job")
    assert changed == shown(tree, *words[:3], words[4], "seed=4", "model.dim=5", "--cfg", "job")


CONFIG = """
seed: 3
class: a
out: ${hydra:runtime.output_dir}/x
steps: [1, '${seed}']
model:
  _target_: nets.Net
  dim: 8
  warmup: ${eval:'${seed} * 100'}
  head: {_target_: nets.Head, bias: false}
  optim: {lr: 0.002, momentum: 0.9}
"""
SETTINGS = (
    "hydra: {job: {config_name: config}, runtime: {choices: {model: base, optim@model.optim: sgd, logger: null}}}\n"
)


@pytest.mark.slow
def test_what_has_no_place_is_refused_with_its_line(tree: Imported) -> None:
    text = CONFIG.replace("dim: 8", "dim: abc").replace("bias: false", "bias: false, new: {a: 1}")
    old = left(tree.folder, text + "seeds: 1", SETTINGS)
    config = f"{old}/.hydra/config.yaml"
    assert shown(tree, "--from", str(old), "--cfg", "job") == (
        f"{config}: 3 values cannot be taken over\n"
        f"  seeds = 1 ({config}:11): Config has no field 'seeds', nearest: seed, steps\n"
        f"  model.dim = abc ({config}:7): Base.dim is int\n"
        f"  model.head.new = {{'a': 1}} ({config}:9): _Head has no field 'new', choose from: bias\n"
        "  write: what is missing in the class, or --from a copy of the file without these lines\n"
    )


@pytest.mark.slow
def test_a_target_that_no_class_has_is_refused(tree: Imported) -> None:
    old = left(tree.folder, CONFIG.replace("nets.Net", "os.system"), SETTINGS)
    config = f"{old}/.hydra/config.yaml"
    assert shown(tree, "--from", str(old)) == (
        f"{config}: 1 value cannot be taken over\n"
        f"  model._target_ = os.system ({config}:6): no Model has this target\n"
        "  write: what is missing in the class, or --from a copy of the file without these lines\n"
    )


@pytest.mark.slow
def test_a_run_of_which_there_is_no_class_is_refused(tree: Imported) -> None:
    old = left(tree.folder, CONFIG, SETTINGS.replace("config_name: config", "config_name: trains"))
    assert shown(tree, "--from", str(old)) == (
        f"{old}/.hydra/config.yaml is a run of 'trains', and there is no class of it\n"
        "  choose from: config, default\n"
        '  if it was renamed, write in its class: _was_ = ("runs.trains.Trains",)\n'
    )


@pytest.mark.slow
def test_a_target_that_a_class_above_names_is_taken_over_and_recorded(tmp_path: Path) -> None:
    files = {
        "config": "defaults: [task: one]",
        "task/one": "data: {_target_: a.One, path: x}",
        "task/two": "data: {_target_: a.Two, path: y}",
    }
    found = imported(tmp_path, files)
    assert '_target_="a.Two"' in (found.folder / "runs/task/two.py").read_text()
    settings = "hydra: {job: {config_name: config}, runtime: {choices: {task: two}}}"
    old = left(found.folder, "task:\n  data: {_target_: a.Two, path: z}\n", settings)
    text = shown(found, "--from", str(old), "--cfg", "job", "--package", "task")
    assert text.endswith('run = Two(data=Data(_target_="a.Two", path="z"))\n')
    shown(found, "--from", str(old))
    (new,) = (found.folder / "outputs").iterdir()
    assert shown(found, "--from", str(new), "--cfg", "job", "--package", "task") == text
    old = left(found.folder, "task:\n  data: {_target_: a.One, path: z}\n", settings)
    assert "data._target_ = a.One" in shown(found, "--from", str(old))


@pytest.mark.slow
def test_what_a_class_works_out_anew_is_told(tree: Imported) -> None:
    text = CONFIG.replace("${eval:'${seed} * 100'}", "${eval:'__import__(\"os\").getpid()'}").replace("class: a\n", "")
    old = left(tree.folder, text, SETTINGS)
    config = f"{old}/.hydra/config.yaml"
    done = started(tree, "--from", str(old), "--cfg", "job", "--package", "model")
    assert done.returncode == 0
    assert "warmup=300" in done.stdout
    assert done.stderr == (
        f"{config} is not taken over as it stands:\n"
        f"  model.warmup = ${{eval:'__import__(\"os\").getpid()'}} ({config}:7): worked out anew by its class\n"
        "  class: no value, so the default of its class is used\n"
    )


@pytest.mark.slow
def test_what_waited_for_a_choice_is_told(tree: Imported) -> None:
    old = left(tree.folder, CONFIG + "logger:\n  csv: {dir: d}\n", SETTINGS)
    config = f"{old}/.hydra/config.yaml"
    done = started(tree, "--from", str(old), "--cfg", "job")
    assert "logger=None" in done.stdout
    assert done.stderr == (
        f"{config} is not taken over as it stands:\n  logger ({config}:11): left out, since nothing was chosen there\n"
    )


@pytest.mark.slow
def test_names_that_changed_since_are_read(tmp_path: Path) -> None:
    found = imported(tmp_path, FILES)
    base = found.folder / "runs/model/base.py"
    text = (
        base.read_text()
        .replace("class Base(", "class Basic(")
        .replace("dim: int =", 'size: Annotated[int, Was("dim")] =')
    )
    text = text.replace('    """Was conf', '    _was_ = ("runs.model.base.Base",)\n    """Was conf')
    text = text.replace("from cn import derive", "from typing import Annotated\n\nfrom cn import Was, derive")
    base.with_name("basic.py").write_text(text)
    base.unlink()
    small = found.folder / "runs/model/small.py"
    text = small.read_text().replace("dim:", "size:").replace("(Base)", "(Basic)")
    small.write_text(text.replace("base import Base", "basic import Basic"))
    old = left(found.folder, CONFIG.replace("dim: 8", "dim: 9"), SETTINGS)
    text = shown(found, "--from", str(old), "--cfg", "job", "--package", "model")
    assert "run = Basic(" in text
    assert "size=9" in text


@pytest.mark.slow
def test_a_text_of_a_field_that_moved_is_worked_out_where_it_stands(tmp_path: Path) -> None:
    found = imported(tmp_path, FILES)
    base = found.folder / "runs/model/base.py"
    text = base.read_text()
    (line,) = [row for row in text.splitlines(keepends=True) if row.startswith("    warmup:")]
    text = text.replace(line, "").replace(
        "    bias: bool = True\n", "    bias: bool = True\n" + line.replace("warmup", "warm")
    )
    base.write_text(text + '    _moved_ = {"warmup": "head.warm"}\n')
    old = left(found.folder, CONFIG, SETTINGS)
    for word, warm in ("seed=3", "warm=300"), ("seed=4", "warm=400"):
        done = started(found, "--from", str(old), word, "--cfg", "job", "--package", "model.head")
        assert (done.stdout.split("(")[1], done.stderr) == (f"bias=False, {warm})\n", "")
    old = left(found.folder, CONFIG.replace("${eval:'${seed} * 100'}", "7"), SETTINGS)
    assert "warm=7" in shown(found, "--from", str(old), "seed=4", "--cfg", "job", "--package", "model.head")


APP = """
import hydra


@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(cfg):
    print(cfg.seed)


main()
"""


@pytest.mark.slow
def test_a_run_that_an_app_of_hydra_left_is_taken_over(tmp_path: Path) -> None:
    found = imported(tmp_path, FILES)
    (tmp_path / "app.py").write_text(APP)
    words = ["debug=fast", "optim@model.optim=sgd", "model.optim.lr=0.5", "hydra.run.dir=left"]
    subprocess.run([sys.executable, "app.py", *words], cwd=tmp_path, check=True, capture_output=True)
    old = tmp_path / "left"
    assert sorted(each.name for each in (old / ".hydra").iterdir()) == ["config.yaml", "hydra.yaml", "overrides.yaml"]
    done = started(found, "--from", str(old), "--cfg", "job")
    asked = started(
        found, "run=config", "patches=[debug/fast]", "model/optim=sgd", "model.optim.lr=0.5", "--cfg", "job"
    )
    assert done.stdout == asked.stdout
    assert "lr=0.5" in done.stdout
    begun = started(found, "--from", str(old))
    assert begun.returncode == 0, begun.stderr
    (new,) = (found.folder / "outputs").iterdir()
    assert (new / "command.txt").read_text() == f"python train.py --from {old}\n"
    again = started(found, "--from", str(new), "--cfg", "job")
    assert (again.stdout, again.stderr) == (done.stdout, "")


def test_the_path_of_an_old_run_is_its_folder_or_its_file(tmp_path: Path) -> None:
    old = left(tmp_path, "seed: 1")
    config = old / ".hydra/config.yaml"
    assert [config_of(each) for each in (old, old / ".hydra", config)] == [config] * 3
    assert config_of(tmp_path / "nothing") is None
    (old / "config.json").write_text("{}")
    assert config_of(old) is None


def test_a_folder_of_several_old_runs_is_refused(tmp_path: Path) -> None:
    left(tmp_path / "a", "seed: 1")
    (tmp_path / "a/old").rename(tmp_path / "a/0")
    with pytest.raises(ValueError, match="several") as caught:
        config_of(tmp_path / "a")
    text = f"{tmp_path}/a holds several runs of Hydra, and --from takes one\n  choose from: {tmp_path}/a/0"
    assert str(caught.value) == text


def test_a_file_that_cannot_be_read_is_told_with_its_line(tmp_path: Path) -> None:
    old = left(tmp_path, "a: 1\na: 2\n")
    config = old / ".hydra/config.yaml"
    with pytest.raises(ValueError, match="cannot be read") as caught:
        Written(config)
    assert str(caught.value) == f"{config}:2 cannot be read\n  found duplicate key a"
    with pytest.raises(ValueError, match="not there") as caught:
        Written(config.with_name("confg.yaml"))
    assert str(caught.value) == f"{config.with_name('confg.yaml')} is not there\n  nearest: {config}"
    config.write_text("[1, 2]")
    with pytest.raises(ValueError, match="no configuration") as caught:
        Written(config)
    assert str(caught.value) == f"{config} holds no configuration: it is a list"


def test_choices_are_read_from_hydra_yaml_or_else_from_the_overrides(tmp_path: Path) -> None:
    config = left(tmp_path, "seed: 1", SETTINGS) / ".hydra/config.yaml"
    config.with_name("overrides.yaml").write_text("- model=other\n- +a/b@c.d=e.yaml\n- seed=3\n")
    found = Written(config)
    assert (found.run, found.choices) == ("config", {"model": "base", "model.optim": "sgd", "logger": None})
    config.with_name("hydra.yaml").unlink()
    found = Written(config)
    assert (found.run, found.choices) == ("", {"model": "other", "c.d": "e", "seed": "3"})


@pytest.mark.parametrize(
    ("text", "value"),
    [("2 * 3 + 1", 7), ("7 // 2 if 1 < 2 else 0", 3), ("[1, 2][-1]", 2), ("int(0.5 * 4)", 2), ("not 'a' == 'b'", True)],
)
def test_arithmetic_is_worked_out(text: str, value: object) -> None:
    assert arithmetic(text) == value


@pytest.mark.parametrize(
    "text", ["__import__('os')", "open('x')", "(1).real", "9 ** 9 ** 9", "'a' * 3", "[x for x in [1]]", "1 +", "1 / 0"]
)
def test_what_could_run_code_is_not(text: str) -> None:
    with pytest.raises(UnknownTextError):
        arithmetic(text)
