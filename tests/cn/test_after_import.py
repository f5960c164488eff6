"""Hydra comes late: our nodes are in its ConfigStore whoever is imported first, and no plain command imports it."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cn.after_import import after_import, waits_for
from tests.cn.conftest import REPOSITORY, start

NODES = "import models.vit, models.mlp, models.head.cls_token, runs.default"
ASKED = """
import json, pickle, sys
from hydra.core.config_store import ConfigStore
store = ConfigStore.instance()
listed = [store.list(group) for group in ("model", "model/vit", "run", "optim")]
kept = store.load("model/vit/small.yaml")
repo = sorted(store.repo["model"]), store.repo["model"]["vit"]["small.yaml"].node.dim
import models.vit
back = (
    pickle.loads(pickle.dumps(store.repo))["model"]["vit.yaml"].node.dim,
    pickle.loads(pickle.dumps(models.vit.Small())),
)
from cn.hydra_compat.options import prepare
from runs import Run
prepare(Run)
import hydra
base = {"version_base": "1.3"} if hydra.__version__ < "1.4" else {}
with hydra.initialize(config_path=None, **base):
    composed = hydra.compose("config", ["run=default", "model=vit/small", "model.depth=3"])
import importlib.metadata
from hydra.core.plugins import Plugins
plugins = sorted(each.__name__ for each in Plugins.instance().discover())
module = sys.modules["hydra.core.config_store"]
found = sorted(importlib.metadata.distribution("hydra-core").metadata["Name"].split("-"))
print(json.dumps([
    listed, kept.node.dim, kept.provider, repo, back[0], back[1].dim, composed.model.dim, composed.model.depth, plugins,
    found, type(module.__loader__).__name__, type(module.__spec__.loader).__name__, module.__spec__.origin,
    [type(each).__module__ for each in sys.meta_path if type(each).__module__.startswith("cn")],
]))
"""
ORDERS = {
    "hydra first": f"import hydra\n{NODES}\n{ASKED}",
    "nodes first": f"import sys\n{NODES}\nassert not {{'hydra', 'omegaconf'}} & set(sys.modules)\n{ASKED}",
    "between": f"import models.vit\nimport hydra\n{NODES}\n{ASKED}",
    "our store first": f"{NODES}\nimport cn.hydra_compat.store\n{ASKED}",
}


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS)
def test_the_nodes_are_in_the_store_whoever_is_imported_first(tree: Path, order: str) -> None:
    done = start(tree, "-c", ORDERS[order])
    assert done.stderr == ""
    listed, dim, provider, repo, stored, pickled, composed, depth, plugins, name, *loaders, origin, ours = json.loads(
        done.stdout
    )
    assert listed == [["head", "mlp.yaml", "vit", "vit.yaml"], ["small.yaml"], ["default.yaml"], ["adamw.yaml"]]
    assert (dim, provider, repo) == (384, "cn", [["head", "mlp.yaml", "vit", "vit.yaml"], 384])
    assert (stored, pickled, composed, depth) == (192, 384, 384, 3)
    assert {"BasicLauncher", "BasicSweeper"} <= set(plugins)
    assert (name, loaders, ours) == (["core", "hydra"], ["SourceFileLoader"] * 2, [])
    assert origin.endswith("config_store.py")


@pytest.mark.slow
def test_many_threads_that_define_nodes_while_hydra_comes_lose_none(tree: Path) -> None:
    for i in range(30):
        (tree / f"models/m{i}.py").write_text(f"from models.mlp import MLP\n\nclass M{i}(MLP): ...\n")
    done = start(
        tree,
        "-c",
        "import importlib, sys, threading\n"
        "sys.setswitchinterval(1e-5)\n"
        "import models.mlp\n"
        "names = [*(f'models.m{i}' for i in range(30)), 'hydra']\n"
        "names.sort(key=lambda name: name[-1])\n"
        "threads = [threading.Thread(target=importlib.import_module, args=[name]) for name in names]\n"
        "for each in threads: each.start()\n"
        "for each in threads: each.join()\n"
        "from hydra.core.config_store import ConfigStore\n"
        "print(sum(name[0] == 'm' and name[1].isdigit() for name in ConfigStore.instance().repo['model']))\n",
    )
    assert (done.stderr, done.stdout) == ("", "30\n")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The file of a module that nobody has imported."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path / "waited_for.py"
    sys.modules.pop("waited_for", None)
    sys.meta_path[:] = [each for each in sys.meta_path if type(each).__module__ != "cn.after_import"]


def test_what_is_to_be_done_is_done_once_and_leaves_no_trace(module: Path) -> None:
    module.write_text("value = 1\n")
    finders, done = list(sys.meta_path), []
    after_import("waited_for", lambda: done.append(sys.modules["waited_for"].value))
    after_import("waited_for", lambda: done.append("second"))
    assert waits_for("waited_for")
    assert importlib.util.find_spec("waited_for") is not None
    assert done == []
    found: Any = importlib.import_module("waited_for")
    assert (sorted(map(str, done)), waits_for("waited_for"), sys.meta_path) == (["1", "second"], False, finders)
    assert type(found.__loader__) is type(found.__spec__.loader) is importlib.machinery.SourceFileLoader
    module.write_text("value = 22\n")
    assert importlib.reload(found).value == 22
    assert len(done) == 2


def test_an_import_that_fails_is_waited_for_again(module: Path) -> None:
    module.write_text("1 / 0\n")
    done: list[int] = []
    after_import("waited_for", lambda: done.append(1))
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("waited_for")
    assert (done, waits_for("waited_for"), "waited_for" in sys.modules) == ([], True, False)
    module.write_text("value = 1  # better\n")
    importlib.invalidate_caches()
    importlib.import_module("waited_for")
    assert (done, waits_for("waited_for")) == ([1], False)


def test_a_module_that_is_there_or_nowhere_is_as_without_us() -> None:
    finders = list(sys.meta_path)
    after_import("json", lambda: pytest.fail("it was there"))
    assert sys.meta_path == finders
    after_import("nowhere_at_all", lambda: pytest.fail("there is none"))
    with pytest.raises(ModuleNotFoundError, match="nowhere_at_all"):
        importlib.import_module("nowhere_at_all")
    sys.meta_path[:] = finders


PLAIN = {
    "help": ["--help"],
    "help of a choice": ["--help", "model=vit", "model.dim=6"],
    "cfg": ["--cfg", "job", "model=vit", "model.dim=6", "seed=3"],
    "run": ["model=vit", "+callbacks=stop", "callbacks.stop.patience=7", "betas=[0.8,0.9]", "opts={a: 3}", "~teacher"],
    "completion": ["-sc", "query=bash"],
    "install": ["-sc", "install=bash"],
    "unknown flag": ["--epochs", "3"],
    "unknown option": ["model=vitt"],
    "unknown field": ["model.widht=3"],
    "wrong type": ["seed=x"],
    "explain": ["--explain", "seed", "seed=4"],
    "save": ["--save-as", "mine", "seed=4"],
}  # fmt: skip
TELL = """
import runpy, sys
sys.path[0] = ""
sys.argv = ["train.py", *sys.argv[1:]]
try:
    runpy.run_path("train.py", run_name="__main__")
except SystemExit as end:
    print("status", end.code)
print([name for name in ("hydra", "omegaconf", "antlr4", "torch", "yaml") if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.parametrize("asked", PLAIN)
def test_a_command_of_plain_words_imports_no_hydra(tree: Path, asked: str) -> None:
    done = start(tree, "-c", TELL, *PLAIN[asked], COMP_LINE="python train.py model=vit model.d")
    assert done.stderr.splitlines()[-1] == "[]", done.stderr
    assert done.stdout or "unknown" in asked or asked == "wrong type"
    assert ("status 2" in done.stdout) == (asked.startswith("unknown") or asked == "wrong type")


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [["--help"], ["--cfg", "job", "model=vit", "model.depth=3", "seed=3"], ["--epochs", "3"], ["model=vitt"]]
)
def test_this_repository_answers_without_hydra(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TELL, *words], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "[]", done.stderr
