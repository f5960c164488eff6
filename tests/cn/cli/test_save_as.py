"""`--save-as` writes the composed run as a class that composes to it again, or writes nothing at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cn import CN, Job, RunError, UserError, main
from cn.cli.save_as import save
from cn.nodes.field_types import same
from cn.nodes.traversal import values
from cn.writing.record import dump
from tests.cn.conftest import python


@pytest.fixture
def saved(run: Any) -> Any:
    """`saved("NAME", "seed=3")`: the source that is written, once it has been composed again and compared."""

    def saved(name: str, *words: str, folder: Path | None = None) -> str:
        from cn import load
        from runs import Run

        base = load(folder) if folder else None
        assert save(Run, base, list(words), name, folder) == (
            f"runs/{name}.py is written; to run it: python train.py run={name}"
        )
        before = run(*words) if base is None else None
        if before is not None:
            assert same(values(run(f"run={name}")), values(before))
        return files()[f"runs/{name}.py"]

    return saved


def files() -> dict[str, str]:
    """What is in runs/, by path."""
    import runs

    root = Path(str(runs.__file__)).parents[1]
    paths = [path for path in (root / "runs").rglob("*") if "__pycache__" not in path.parts]
    return {str(path.relative_to(root)): path.read_text() if path.is_file() else "" for path in paths}


SMALL = '''\
"""python train.py run=small"""

from __future__ import annotations

from models import Model
from models.head.mean_pool import MeanPool
from models.vit import ViT
from runs.callbacks import Callback
from runs.callbacks.checkpoint import Checkpoint
from runs.callbacks.stop import Stop
from runs.default import Default


class Small(Default):
    """What `python train.py model.head.scale=2 model/head=mean_pool 'callbacks=[checkpoint,stop]' steps=200`
    composed.
    """

    model: Model = ViT(depth=12, head=MeanPool(scale=2.0))
    callbacks: dict[str, Callback] = {"checkpoint": Checkpoint(every=3), "stop": Stop()}
    steps: int = 200
'''


def test_the_run_is_written_as_a_class_that_is_chosen_by_its_name(program: Any, tree: Path) -> None:
    words = ["model.head.scale=2", "model/head=mean_pool", "callbacks=[checkpoint,stop]", "steps=200"]
    typed = program(*words, "--cfg", "job").stdout
    done = program(*words, "--save-as", "small")
    written = "runs/small.py is written; to run it: python train.py run=small\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, written, "")
    assert (tree / "runs/small.py").read_text() == SMALL
    assert program("run=small").stdout == "trained ViT with seed 1\n"
    again = program("run=small", "--cfg", "job").stdout
    assert again.split("\n\n")[1] == typed.split("\n\n")[1].replace("Default(", "Small(")
    assert "    warmup=10,\n" in again
    assert "    warmup=50,\n" in program("run=small", "steps=1000", "--cfg", "job").stdout


EVERY = '''\
"""python train.py run=deep/every"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from models import Model
from models.mlp import MLP
from models.vit import Small
from runs import Mode
from runs.callbacks import Callback
from runs.cifar.vit import ViT


class Every(ViT):
    """What WORDS composed."""

    model: Model = Small(dim=96, depth=3)
    teacher: Model | None = MLP()
    callbacks: dict[str, Callback] = {}
    warmup: int = 7  # steps
    name: str = "it's"
    clip: float | None = 0.5  # norm of the gradient
    mode: Mode = Mode.eval
    precision: Literal["fp32", "bf16"] = "bf16"
    out: Path = Path("a/b")
    betas: tuple[float, float] = (0.5, 1.0)
    tasks: list[str] = ["a", "b c"]
    opts: dict[str, int] = {"a": 1, "b": 2}
    flag: bool = True
    either: int | str = "x"
    anything: Any = {"y": [1, None]}
'''


@pytest.mark.slow
def test_every_kind_of_value_is_written_with_its_annotation_and_comment(saved: Any) -> None:
    pytest.importorskip("ruff")
    words = [
        "run=cifar/vit", "model.dim=96", "teacher=mlp", "callbacks=[]", "warmup=7", "name=\"it's\"", "clip=0.5",
        "mode=eval", "precision=bf16", "out=a/b", "betas=[0.5,1]", "tasks=[a,'b c']", "+opts.b=2", "flag=true",
        "either=x", "anything={y:[1,null]}",
    ]  # fmt: skip
    source = saved("deep/every", *words)
    head, _, rest = source.partition('    """What `')
    typed, _, fields = rest.partition('` composed.\n    """\n')
    assert f'{head}    """What WORDS composed."""\n{fields}' == EVERY
    assert typed.replace("\n   ", "") == (
        "python train.py run=cifar/vit model.dim=96 teacher=mlp 'callbacks=[]' warmup=7 "
        """'name="it'"'"'s"' clip=0.5 mode=eval precision=bf16 out=a/b 'betas=[0.5,1]' """
        """'tasks=[a,'"'"'b c'"'"']' +opts.b=2 flag=true either=x 'anything={y:[1,null]}'"""
    )
    import runs

    root = Path(str(runs.__file__)).parents[1]
    for check in (["format", "--check"], ["check", "--select=I,F,E"]):
        command = [sys.executable, "-m", "ruff", *check, "--isolated", "--no-cache", "--line-length=120"]
        done = subprocess.run([*command, "runs/deep/every.py"], cwd=root, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_a_required_field_that_was_given_is_written(saved: Any) -> None:
    assert saved("given", "run=bare", "optim=adamw").endswith("    optim: Optim = AdamW()\n")


def test_what_was_saved_is_the_base_of_what_is_saved_next(saved: Any) -> None:
    saved("first", "seed=3")
    source = saved("second", "run=first", "steps=7")
    assert "class Second(First):\n" in source
    assert source.endswith("    steps: int = 7\n")


def test_a_recorded_run_is_saved_as_it_was(saved: Any, run: Any, tmp_path: Path, monkeypatch: Any) -> None:
    before = run("run=cifar/vit", "model.depth=5", "steps=200")
    dump(before, tmp_path)
    source = saved("repeated", folder=tmp_path)
    assert source.split('"""\n\n')[-1] == "    model: Model = Small(depth=5)\n    steps: int = 200\n"
    assert f'    """What `python train.py --from .../{tmp_path.name}` composed."""\n' in source
    assert same(values(run("run=repeated")), values(before))
    monkeypatch.chdir(tmp_path.parent)
    text = saved("changed", "steps=1000", folder=tmp_path)
    assert f'    """What `python train.py --from {tmp_path.name} steps=1000` composed."""\n' in text
    assert run("run=changed").warmup == 50


def test_where_a_recorded_run_is_stays_with_it(saved: Any, run: Any, tmp_path: Path, tree: Path) -> None:
    path = tree / "runs/default.py"
    path.write_text(f"from pathlib import Path\n{path.read_text()}    folder: Path | None = None\n")
    dump(run(f"folder={tmp_path}", "steps=7"), tmp_path)
    assert saved("again", folder=tmp_path).endswith('composed."""\n\n    steps: int = 7\n')
    assert "folder: Path | None = Path(" in saved("there", f"folder={tmp_path}", folder=tmp_path)


def test_the_name_of_the_class_is_none_that_python_has(saved: Any) -> None:
    assert "class NONE(Default):\n" in saved("none", "seed=3")
    assert "class Vit2b(Default):\n" in saved("vit_2b", "seed=3")


def test_a_class_that_the_file_imports_keeps_its_name(saved: Any) -> None:
    source = saved("adam_w", "model=mlp", "optim.lr=1")
    assert "\nimport runs.optim.adamw\n" in source
    assert "class AdamW(Default):\n" in source
    assert source.endswith("    optim: Optim = runs.optim.adamw.AdamW(lr=1.0, decay=0.2)\n")


NAME = "  a name is of letters, digits and _, and begins with a letter\n  write: --save-as "
TWO = "  leave out one of the two\n"
MISTAKES = {
    "seed=3 --save-as small-vit": "--save-as small-vit: no file of Python's can be called 'small-vit' and be chosen\n"
    f"{NAME}small_vit\n",
    "seed=3 --save-as class": "--save-as class: no file of Python's can be called 'class' and be chosen\n"
    f"{NAME}class_\n",
    "seed=3 --save-as a/2b": f"--save-as a/2b: no file of Python's can be called '2b' and be chosen\n{NAME}NAME\n",
    "seed=3 --save-as _x": f"--save-as _x: no file of Python's can be called '_x' and be chosen\n{NAME}x\n",
    "seed=3 --save-as x.py": f"--save-as x.py: no file of Python's can be called 'x.py' and be chosen\n{NAME}x\n",
    "seed=3 --save-as /tmp/x": f"--save-as /tmp/x: no file of Python's can be called '' and be chosen\n{NAME}tmp/x\n",
    "seed=3 --save-as ../x": f"--save-as ../x: no file of Python's can be called '..' and be chosen\n{NAME}NAME\n",
    f"seed=3 --save-as {'a' * 201}": f"--save-as {'a' * 120} ... {'a' * 60}: the name is too long for a file\n"
    "  write: --save-as NAME\n",
    "seed=3 --save-as runs/x": "--save-as runs/x: a name is without runs/\n  write: --save-as x\n",
    "seed=3 --save-as bare": "--save-as bare: runs/bare.py is there already\n"
    "  write: --save-as with another name, or remove the file before\n",
    "seed=3 --save-as cifar/vit": "--save-as cifar/vit: runs/cifar/vit.py is there already\n"
    "  write: --save-as with another name, or remove the file before\n",
    "seed=3 --save-as cifar": "--save-as cifar: runs/cifar.py and the folder runs/cifar/ would have one name\n"
    "  write: --save-as with another name, such as cifar/NAME\n",
    "seed=3 --save-as bare/x": "--save-as bare/x: runs/bare.py and a folder runs/bare/ would have one name\n"
    "  write: --save-as bare_x\n",
    "seed=3 --save-as optim/x": "--save-as optim/x: runs/optim/ holds the options of optim, and no run\n"
    "  write: --save-as x\n",
    "run=cifar/vit --save-as x": "there is nothing to save: this is ViT as it stands\n"
    "  to run it: python train.py run=cifar/vit\n",
    "seed=1 --save-as x": "there is nothing to save: this is Default as it stands\n"
    "  to run it: python train.py run=default\n",
    "run=bare --save-as x": "optim is required and was not given\n  defined in runs/__init__.py:24\n"
    "  write: optim=... (Optim)\n",
    "seed=x --save-as x": "seed=x: seed is int, not 'x'\n  defined in runs/__init__.py:28\n",
    "--save-as": "argument --save-as: expected one argument\n  see: python train.py --help\n",
    "-m seed=1,2 --save-as x": f"--save-as does not go together with -m\n{TWO}",
    "--cfg job --save-as x": f"--save-as does not go together with --cfg\n{TWO}",
    "hydra.job.name=x --save-as x": f"--save-as does not go together with Hydra's own options\n{TWO}",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_exits_with_2_and_writes_nothing(program: Any, tree: Path, line: str) -> None:
    before = sorted(tree.glob("runs/**/*.py"))
    done = program(*line.split())
    assert (done.returncode, done.stdout, done.stderr) == (2, "", MISTAKES[line])
    assert sorted(tree.glob("runs/**/*.py")) == before
    assert not list(tree.rglob(".*.py.*"))


def test_a_run_that_no_class_can_hold_is_refused_before_anything_is_written(
    tree: Path, run: Any, node_tree: Any
) -> None:
    node_tree(
        {
            "runs/picky.py": python(
                "from runs.default import Default",
                "class Picky(Default):",
                "    def check(self) -> None:",
                "        if type(self).__name__ != 'Picky': raise ValueError('nothing but Picky will do')",
            ),
            "runs/typed.py": python(
                "from cn import derive",
                "from runs.default import Default",
                "class Typed(Default):",
                "    warmup: int = derive(lambda run: len(type(run).__name__))",
            ),
        }
    )
    from runs import Run

    before = files()
    with pytest.raises(UserError) as caught:
        save(Run, None, ["run=picky", "seed=3"], "new/x", None)
    assert str(caught.value) == ("runs/new/x.py cannot hold this run\n  nothing but Picky will do")
    with pytest.raises(UserError) as caught:
        save(Run, None, ["run=typed", "seed=3"], "new/x", None)
    assert str(caught.value) == "runs/new/x.py cannot hold this run: its warmup would be 1\n  and is 5"
    assert files() == before


def test_a_file_that_turns_out_wrong_is_taken_away_with_its_folders(run: Any, monkeypatch: Any) -> None:
    from runs import Run

    before = files()

    def stop(*_: Any) -> None:
        assert "runs/new/deep/x.py" in files()
        raise KeyboardInterrupt

    monkeypatch.setattr("cn.cli.save_as.compose", stop_second(stop))
    with pytest.raises(KeyboardInterrupt):
        save(Run, None, ["seed=3"], "new/deep/x", None)
    assert files() == before


def stop_second(stop: Any) -> Any:
    """`compose` until it is asked for a contract with `run=new/deep/x`."""
    from cn.composing.compose import compose

    return lambda what, words=(): stop() if list(words) == ["run=new/deep/x"] else compose(what, words)


def test_a_folder_that_cannot_be_written_is_a_run_error(run: Any) -> None:
    import runs

    Path(str(runs.__file__)).with_name("full").write_text("")
    from runs import Run

    with pytest.raises(RunError, match=r"runs/full/x\.py cannot be written\n  \w+Error: "):
        save(Run, None, ["seed=3"], "full/x", None)


class Own(CN):
    size: int = 1


def test_a_program_of_one_class_has_no_folder_for_it(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py"])

    def go(run: Own, job: Job) -> None: ...

    with pytest.raises(SystemExit):
        main(go, ["size=3", "--save-as", "x"])
    assert capsys.readouterr().err == (
        "--save-as x: Own is all that train.py runs, so it has no options\n"
        "  write: Own in the __init__.py of a folder\n"
    )
