"""The door: what the program does with its command line, what it prints, and how it exits; torch is never imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cn import CN, Job, RunError, UserError, main
from cn.writing.record import dump
from tests.cn.conftest import REPOSITORY, start

HELP = "  see: python train.py --help\n"


@pytest.fixture
def call(tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """`call("model=mlp")`: exit status, output and errors of `main` with these words."""
    from runs import Run

    monkeypatch.setattr(sys, "argv", ["train.py"])

    def train(run: Run, job: Job) -> float:
        print(f"trained {type(run.model).__name__} with seed {run.seed}")
        return run.seed / 2

    def call(*words: str, function: Any = train) -> tuple[int, str, str]:
        function.__annotations__.update({"run": Run} if function.__annotations__["run"] == "Run" else {})
        status = 0
        try:
            main(function, list(words), folder=False)
        except SystemExit as exit:
            status = int(exit.code or 0)
        done = capsys.readouterr()
        return status, done.out, done.err

    return call


def test_a_run_is_composed_and_the_function_called(program: Any) -> None:
    done = program("model=mlp", "seed=3")
    assert (done.returncode, done.stdout, done.stderr) == (0, "trained MLP with seed 3\n", "")


def test_the_job_says_how_the_run_was_asked_for(call: Any, run: Any, tmp_path: Path) -> None:
    from runs import Run

    jobs: list[Job] = []

    def train(run: Run, job: Job) -> None:
        jobs.append(job)

    call("seed=3", "model=mlp", function=train)
    dump(run(), tmp_path)
    call("--from", str(tmp_path), "seed=3", function=train)
    call("-m", "seed=1,2", function=train)
    assert jobs[0] == Job(("seed=3", "model=mlp"), ("seed=3", "model=mlp"))
    assert jobs[1] == Job(("seed=3",), ("--from", str(tmp_path), "seed=3"), tmp_path)
    assert [job.overrides for job in jobs[2:]] == [("seed=1",), ("seed=2",)]
    assert jobs[2].group == jobs[3].group != None  # noqa: E711


def test_cfg_job_prints_python_that_evaluates_back(call: Any, run: Any) -> None:
    status, out, err = call("--cfg", "job", "model=vit/small", "seed=3")
    assert (status, err) == (0, "")
    scope: dict[str, Any] = {}
    exec(out, scope)
    assert scope["run"] == run("model=vit/small", "seed=3")


PACKAGES = {
    "model": "from models.head.cls_token import ClsToken\nfrom models.vit import ViT\n\n"
    "run = ViT(dim=192, depth=12, heads=3, head=ClsToken(dim=16, dropout=0.0))\n",
    "model/head": "from models.head.cls_token import ClsToken\n\nrun = ClsToken(dim=16, dropout=0.0)\n",
    "model.head": "from models.head.cls_token import ClsToken\n\nrun = ClsToken(dim=16, dropout=0.0)\n",
    "callbacks.checkpoint": "from runs.callbacks.checkpoint import Checkpoint\n\nrun = Checkpoint(every=3, keep=2)\n",
}


@pytest.mark.parametrize("address", PACKAGES)
def test_package_prints_one_node_of_it(call: Any, address: str) -> None:
    assert call("-c", "job", "-p", address) == (0, PACKAGES[address], "")


def test_help_is_the_page_of_what_is_chosen(program: Any) -> None:
    for words in (["--help"], ["-h", "model=mlp"], ["model=mlp", "--help"]):
        done = program(*words)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("python train.py [NAME=VALUE ...]\n\nchoose\n  run  ")
        assert ("[mlp]" in done.stdout) == ("model=mlp" in words)


def test_the_version_is_that_of_hydra(call: Any) -> None:
    import hydra

    assert call("--version") == (0, f"Hydra {hydra.__version__}\n", "")


def test_from_repeats_a_recorded_run_and_derives_again(call: Any, run: Any, tmp_path: Path) -> None:
    dump(run("model=mlp", "seed=9", "steps=200"), tmp_path)
    assert call("--from", str(tmp_path)) == (0, "trained MLP with seed 9\n", "")
    assert call("--from", str(tmp_path), "seed=4")[1] == "trained MLP with seed 4\n"
    assert "    warmup=10,\n" in call("--from", str(tmp_path), "--cfg", "job")[1]
    assert "    warmup=50,\n" in call("--from", str(tmp_path), "--cfg", "job", "steps=1000")[1]
    assert "  model      [mlp] vit vit/small\n" in call("--from", str(tmp_path), "--help")[1]
    status, out, _ = call("--from", str(tmp_path), "-m", "seed=1,2")
    assert (status, out.count("trained MLP")) == (0, 2)


NODES = "  choose from: callbacks.checkpoint, model, model.head, optim\n"
MISTAKES: dict[str, str] = {
    "model=vitt": "model=vitt: no model is called 'vitt'\n"
    "  options are the subclasses of Model (models/__init__.py:6)\n  nearest: vit, vit/small\n",
    "model.dimm=3": f"model.dimm=3: ViT has no field 'dimm'\n  defined in models/vit.py:6\n  nearest: dim\n{HELP}",
    "modle=vit": "modle=vit: Default has no field 'modle'\n  defined in runs/default.py:6\n"
    f"  nearest: mode, model\n{HELP}",
    "seed=x": "seed=x: seed is int, not 'x'\n  defined in runs/__init__.py:28\n",
    "mode=test": "mode=test: mode is one of train, eval, not 'test'\n  defined in runs/__init__.py:31\n",
    "precision=fp8": "precision=fp8: precision is one of 'fp32', 'bf16', not 'fp8'\n"
    "  defined in runs/__init__.py:32\n  nearest: fp32\n",
    "model.head=cls_token": "model.head=cls_token: model.head is a node (Head), not a value\n"
    "  defined in models/vit.py:12\n  to choose it: model/head=cls_token\n",
    "model.heads=5": "model: dim 192 does not divide by 5 heads\n  ViT is defined in models/vit.py:6\n",
    "run=bare": "optim is required and was not given\n  defined in runs/__init__.py:24\n  write: optim=... (Optim)\n",
    "seed=1,2": "seed=1,2 stands for several runs, and one was asked for\n"
    "  for one run each: python train.py -m seed=1,2\n",
    "seed=range(1000000000)": "seed=range(1000000000) stands for several runs, and one was asked for\n",
    "-m seed=range(1000000000)": "seed=range(1000000000) has more than 100000 values, "
    "and one command may stand for 100000 runs\n  write: a larger step, seed=range(FIRST,END,STEP)\n",
    "model=glob(v*)": "model=glob(v*) stands for several runs, and one was asked for\n"
    "  for one run each: python train.py -m 'model=glob(v*)'\n",
    "seed=1 seed=2": "seed is given twice: seed=1 and seed=2\n  keep one of them\n",
    "run=[default]": "run=[default]: one run is chosen, by its name\n  write: run=NAME\n",
    "seed": "'seed' cannot be read as NAME=VALUE\n  write: seed=VALUE\n",
    "--cfg job -p seed": f"--package seed: there is no node at seed\n{NODES}{HELP}",
    "--cfg job -p nope.x": f"--package nope.x: there is no node at nope.x\n{NODES}{HELP}",
    "--cfg": f"argument --cfg/-c: expected one argument\n{HELP}",
    "--nope": f"there is no option --nope\n{HELP}",
    "--multirn seed=1,2": f"there is no option --multirn\n  nearest: --multirun\n{HELP}",
    "-x": f"there is no option -x\n{HELP}",
    "--from ~nobody_is_called_so/x": "~nobody_is_called_so/x: there is no home folder ~nobody_is_called_so\n"
    "  for a folder of that name: ./~nobody_is_called_so\n",
    "--from nowhere": "nowhere is not a run folder: it has no config.json\n  see: python -m cn runs\n",
    "--from nowhere hydra.job.name=x": "nowhere is not a run folder: it has no config.json\n  see: python -m cn runs\n",
    "-m seed=interval(0,1)": "seed=interval(0,1): an interval has no list of values to run\n"
    "  write: 'seed=range(0,1,STEP)'\n",
    "-m model=vit,vitt": "model=vitt: no model is called 'vitt'\n"
    "  options are the subclasses of Model (models/__init__.py:6)\n  nearest: vit, vit/small\n",
    "--help model=vitt": "model=vitt: no model is called 'vitt'\n"
    "  options are the subclasses of Model (models/__init__.py:6)\n  nearest: vit, vit/small\n",
    "vit": "'vit' cannot be read as NAME=VALUE\n  write: model=vit\n",
    "vit seed=3 steps=4": "'vit' cannot be read as NAME=VALUE\n  write: model=vit\n",
    "bare": "'bare' cannot be read as NAME=VALUE\n  write: run=bare\n",
    "seed = 3": "'seed' cannot be read as NAME=VALUE\n  write, without spaces: seed=3\n",
    "mode=eval seed=1,2 model=mlp": "seed=1,2 stands for several runs, and one was asked for\n"
    "  for one run each: python train.py -m mode=eval seed=1,2 model=mlp\n",
    "--from a --from b": "--from is given twice: --from a and --from b\n  keep one of them\n",
    "--explain seed --explain steps": "--explain is given twice: --explain seed and --explain steps\n"
    "  keep one of them\n",
    "--explain --explain seed": "--explain is given twice: --explain and --explain seed\n  keep one of them\n",
    "--cfg job --cfg hydra": "--cfg is given twice: --cfg job and --cfg hydra\n  keep one of them\n",
    "--cfg job -p model -p optim": "-p is given twice: -p model and -p optim\n  keep one of them\n",
    "--save-as a --save-as b": "--save-as is given twice: --save-as a and --save-as b\n  keep one of them\n",
    "--package model": "--package says which part --cfg shows\n  write: python train.py --cfg job --package NAME\n",
    "--resolve": "--resolve says how --cfg shows interpolations\n  write: python train.py --cfg job --resolve\n",
    "-m seed=1,2 --cfg job": "-m does not go together with --cfg\n  leave out one of the two\n",
    "-m seed=1,2 --help": "-m does not go together with --help\n  leave out one of the two\n",
    "--config-name bare": f"--config-name bare: a run is a class, chosen by its name\n  write: run=bare\n{HELP}",
    "--patches late": f"there is no option --patches\n  write: 'patches=[late]'\n{HELP}",
    "--cfg job -p modle": f"--package modle: there is no node at modle\n  nearest: model, model.head\n{HELP}",
    "-sc": "-sc takes install=SHELL, uninstall=SHELL or query=SHELL; choose from: bash, fish, zsh\n",
    "-sc query=tcsh": "-sc takes install=SHELL, uninstall=SHELL or query=SHELL; nearest: zsh\n",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_exits_with_2_and_says_what_to_do(call: Any, words: str) -> None:
    assert call(*words.split()) == (2, "", MISTAKES[words])
    assert len(MISTAKES[words].split("\n")) <= 7


@pytest.mark.parametrize(
    "words", ["model=vitt", "model.dimm=3", "seed=x", "run=bare", "--nope", "seed=1,2", "-m seed=x,y"]
)
def test_no_mistake_costs_the_import_of_torch(program: Any, words: str) -> None:
    done = program(*words.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert 1 <= len(done.stderr.strip().split("\n")) <= 6


@pytest.mark.parametrize(
    "words", [["--help"], ["--cfg", "job"], ["-m", "seed=1,2"], ["-sc", "query=bash"], ["--version"]]
)
def test_nothing_before_the_run_imports_torch(program: Any, words: list[str]) -> None:
    assert program(*words, COMP_LINE="python train.py mod").returncode == 0


@pytest.mark.slow
def test_importing_cn_imports_no_torch_and_writes_nothing(tmp_path: Path) -> None:
    script = (
        "import sys, cn; print(sorted({name.split('.')[0] for name in sys.modules} & {'torch', 'numpy', 'models'}))"
    )
    environment = {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_program_may_be_started_from_anywhere_and_under_any_name(tree: Path) -> None:
    (tree / "go.py").write_text((tree / "train.py").read_text())

    def said(program: str, at: str | Path) -> str:
        command, env = [sys.executable, program, "model.dimm=3"], {"PYTHONPATH": str(REPOSITORY)}
        return subprocess.run(command, cwd=at, env=env, capture_output=True, text=True).stderr

    told = said("go.py", tree)
    assert told == (
        "model.dimm=3: ViT has no field 'dimm'\n  defined in models/vit.py:6\n"
        "  nearest: dim\n  see: python go.py --help\n"
    )
    assert said("../go.py", tree / "models") == told.replace("go.py", "../go.py")
    assert said(f"{tree}/go.py", "/") == told.replace("go.py", str(tree / "go.py")[1:])


def test_a_run_that_fails_exits_with_1(call: Any) -> None:
    from runs import Run

    def train(run: Run, job: Job) -> float:
        raise RunError("loss is nan at step 7\n  see: log.txt")

    assert call(function=train) == (1, "", "loss is nan at step 7\n  see: log.txt\n")


def test_a_mistake_that_is_found_within_the_run_exits_with_2(call: Any) -> None:
    from runs import Run

    def train(run: Run, job: Job) -> float:
        raise UserError("no such GPU")

    assert call(function=train) == (2, "", "no such GPU\n")


def test_a_bug_keeps_its_traceback(call: Any) -> None:
    from runs import Run

    def train(run: Run, job: Job) -> float:
        return 1 / 0

    with pytest.raises(ZeroDivisionError):
        call(function=train)


def test_an_interrupted_run_exits_with_130(call: Any) -> None:
    from runs import Run

    def train(run: Run, job: Job) -> float:
        raise KeyboardInterrupt

    assert call(function=train) == (130, "", "")


@pytest.mark.slow
@pytest.mark.parametrize("words", ["--help", "-m seed=range(400)", "--cfg job"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_is_no_error(tree: Path, words: str, unbuffered: str) -> None:
    command = f"{sys.executable} train.py {' '.join(repr(word) for word in words.split())} | head -n 1"
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(
        ["bash", "-c", f"{command}; echo ${{PIPESTATUS[0]}}"], cwd=tree, env=environment, capture_output=True, text=True
    )
    first, status = done.stdout.strip().split("\n")
    assert first
    assert status in ("0", "141")
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("words", ["--help", "seed=3", "--cfg job", "-m seed=1,2", "hydra.run.dir=out"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_disk_that_is_full_is_told_in_one_line(tree: Path, words: str, unbuffered: str) -> None:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": unbuffered}
    command = ["bash", "-c", f"{sys.executable} train.py {words} > /dev/full"]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        1,
        "standard output cannot be written: No space left on device",
    )
    assert words == "hydra.run.dir=out" or len(done.stderr.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("words", ["--help", "seed=3", "--explain seed"])
def test_a_closed_stdout_is_no_error(tree: Path, words: str) -> None:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY)}
    command = ["bash", "-c", f"{sys.executable} train.py {words} >&-"]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_in_a_folder_that_has_been_deleted_it_says_so(tree: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY)}
    command = ["bash", "-c", f"mkdir gone && cd gone && rmdir ../gone && {sys.executable} {tree}/train.py"]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    said = "the current folder has been deleted\n  go to one that is there: cd FOLDER\n"
    assert (done.returncode, done.stderr) == (2, said)


@pytest.mark.parametrize("folder", ["a" * 300, "a/" * 3000], ids=["name", "path"])
def test_a_folder_whose_name_is_too_long(call: Any, folder: str) -> None:
    status, out, error = call("--from", folder)
    assert (status, out) == (2, "")
    assert "a/a" in error or "a" * 50 in error
    assert error.endswith("File name too long\n")


def test_a_broken_file_that_is_not_used_breaks_nothing_and_is_shown(program: Any, tree: Path) -> None:
    (tree / "models/bad.py").write_text("import nowhere_at_all\n")
    (tree / "runs/bad.py").write_text("class\n")
    assert program("model=vit", "seed=3").stdout == "trained ViT with seed 3\n"
    help = program("--help")
    assert help.returncode == 0
    assert (
        "  cannot be used: runs/bad.py: runs/bad.py:1: SyntaxError: invalid syntax\n"
        "  cannot be used: models/bad.py: models/bad.py:1: ModuleNotFoundError: No module named 'nowhere_at_all'\n"
    ) in help.stdout
    done = program("model=bad")
    assert (done.returncode, done.stderr) == (
        2,
        "model=bad: models/bad.py cannot be used\n"
        "  models/bad.py:1: ModuleNotFoundError: No module named 'nowhere_at_all'\n",
    )


@pytest.mark.slow
def test_letters_that_the_terminal_does_not_know_are_no_error(tree: Path) -> None:
    (tree / "models/letters.py").write_text(
        "from models import Model\nclass Letters(Model):\n    size: int = 1  # größe ü\n    def build(self): ...\n"
    )
    done = start(tree, "train.py", "--help", "model=letters", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "model.size  int  1  gr\\xf6\\xdfe \\xfc\n" in done.stdout
    done = start(tree, "train.py", "model=\udcff", PYTHONIOENCODING="ascii")
    assert done.stderr.startswith("'model=\\udcff' cannot be read as NAME=VALUE\n")


def test_a_broken_contract_is_one_error(program: Any, tree: Path) -> None:
    (tree / "runs/__init__.py").write_text("1 / 0\n")
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=tree, env={"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True
    )
    assert (done.returncode, "ZeroDivisionError" in done.stderr) == (1, True)  # before main: Python's own traceback


def test_the_function_must_say_what_it_runs(call: Any) -> None:
    def train(run: int, job: Job) -> float: ...

    assert call(function=train) == (2, "", "train(run: ...) must be annotated with a node class, such as Run\n")


def test_a_record_of_something_else_is_refused(call: Any, tmp_path: Path) -> None:
    from models.mlp import MLP  # type: ignore

    dump(MLP(), tmp_path)
    assert call("--from", str(tmp_path)) == (2, "", f"{tmp_path} records a MLP, and train.py runs a Run\n")


def test_an_annotation_that_only_a_type_checker_sees_is_told(call: Any) -> None:
    def train(run: Nowhere, job: Job) -> float: ...  # type: ignore  # noqa: F821

    assert call(function=train) == (
        2,
        "",
        "train(run: Nowhere) has an annotation that cannot be read: name 'Nowhere' is not defined\n"
        "  write: its import outside of `if TYPE_CHECKING`\n",
    )


class Own(CN):
    size: int = 1


def test_a_program_may_run_a_class_of_its_own_and_annotate_the_rest_as_it_likes(capsys: Any) -> None:
    def go(run: Own, job: Nowhere) -> Nowhere:  # type: ignore  # noqa: F821
        print(run)

    main(go, ["size=3"], folder=False)
    assert capsys.readouterr().out == "Own(size=3)\n"


def test_a_run_writes_no_file(program: Any, tree: Path) -> None:
    before = {path for path in tree.rglob("*") if "__pycache__" not in path.parts}
    program("seed=2")
    program("-m", "seed=1,2")
    program("--cfg", "job")
    assert {path for path in tree.rglob("*") if "__pycache__" not in path.parts} == before
