"""What Hydra itself sees: the ConfigStore, plain composing from it, and Hydra's own options on the command line."""

from __future__ import annotations

import copy
import importlib
import os
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import hydra
import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

import cn
from cn import registry, source
from cn.content import mirror, structured
from cn.plain import prepare
from cn.store import Entry, Folder, store

ROOT = Path(__file__).parents[2]
PACKAGES = ("models", "runs")
TREE = {
    "models/__init__.py": """
        from abc import abstractmethod
        from cn import CN
        class Model(CN):
            @abstractmethod
            def build(self): ...
    """,
    "models/head/__init__.py": """
        from cn import CN
        class Head(CN):
            pass
    """,
    "models/head/mean.py": """
        from models.head import Head
        class Mean(Head):
            pass
    """,
    "models/head/conv.py": """
        from models.head import Head
        class Conv(Head):
            width: int = 3
    """,
    "models/vit.py": """
        import enum
        from pathlib import Path
        from typing import Literal
        from models import Model
        from models.head import Head
        from models.head.mean import Mean
        class Colour(enum.Enum):
            RED = 1
            BLUE = 2
        class ViT(Model):
            dim: int = 192
            rate: float = 1
            act: Literal["relu", "gelu", 3] = "gelu"
            size: tuple[int, int] = (32, 16)
            root: Path = Path("here")
            colour: Colour = Colour.RED
            drop: float | None = None
            names: list[str] = ["a", "b"]
            table: dict[str, int] = {"x": 1}
            either: int | str = "text"
            pattern: str = "${not} an \\\\${interpolation}"
            head: Head = Mean()
            def build(self): ...
        class Small(ViT):
            dim: int = 384
    """,
    "models/mlp.py": """
        from models import Model
        class Mlp(Model):
            dim: int = 8
            def build(self): ...
    """,
    "models/both.py": """
        from models import Model
        from models.vit import ViT
        class Both(Model):
            first: Model = ViT(dim=7)
            second: Model | None = None
            def build(self): ...
    """,
    "models/base.py": """
        from models import Model
        class Base(Model):
            pass
    """,
    "runs/__init__.py": """
        from cn import CN, RunError, derive
        from models import Model
        from models.mlp import Mlp
        from runs.callbacks import Callback
        from runs.optim import Optim
        from runs.optim.ratio import Ratio
        class Run(CN):
            model: Model = Mlp()
            teacher: Model | None = None
            optim: Optim = Ratio()
            callbacks: dict[str, Callback] = {}
            seed: int = 1
            steps: int = 100
            warmup: int = derive(lambda run: run.steps // 20)
    """,
    "runs/optim/__init__.py": """
        from cn import CN
        class Optim(CN):
            pass
    """,
    "runs/optim/ratio.py": """
        from runs.optim import Optim
        class Ratio(Optim):
            _target_: str = "fractions.Fraction"
            numerator: int = 3
            denominator: int = 4
    """,
    "runs/callbacks/__init__.py": """
        from cn import CN
        class Callback(CN):
            every: int = 1
    """,
    "runs/callbacks/when/__init__.py": """
        from cn import CN
        class When(CN):
            pass
    """,
    "runs/callbacks/when/always.py": """
        from runs.callbacks.when import When
        class Always(When):
            pass
    """,
    "runs/callbacks/when/never.py": """
        from runs.callbacks.when import When
        class Never(When):
            why: str = "because"
    """,
    "runs/callbacks/checkpoint.py": """
        from runs.callbacks import Callback
        from runs.callbacks.when import When
        from runs.callbacks.when.always import Always
        class Checkpoint(Callback):
            when: When = Always()
        class Fast(Checkpoint):
            every: int = 9
    """,
    "runs/callbacks/stop.py": """
        from runs.callbacks import Callback
        class Stop(Callback):
            patience: int = 5
    """,
    "runs/default.py": """
        from runs import Run
        class Default(Run):
            pass
    """,
    "runs/other.py": """
        from models import Model
        from models.vit import ViT
        from runs import Run
        class Other(Run):
            model: Model = ViT()
            seed: int = 2
    """,
    "runs/preset.py": """
        from models import Model
        from models.head.conv import Conv
        from models.vit import Small, ViT
        from runs import Run
        from runs.callbacks import Callback
        from runs.callbacks.checkpoint import Checkpoint
        from runs.callbacks.stop import Stop
        from runs.callbacks.when.never import Never
        class Preset(Run):
            model: Model = ViT(dim=96, head=Conv(width=5))
            teacher: Model | None = Small()
            callbacks: dict[str, Callback] = {
                "checkpoint": Checkpoint(every=2, when=Never(why="late")), "stop": Stop(), "mine": Stop()
            }
    """,
    "runs/nested/deep.py": """
        from models import Model
        from models.both import Both
        from models.mlp import Mlp
        from runs import Run
        class Deep(Run):
            model: Model = Both(second=Mlp(dim=5))
    """,
    "train.py": """
        from cn import Job, RunError, main
        from runs import Run
        def train(run: Run, job: Job) -> float:
            if run.steps == 13:
                raise RunError("13 steps are too few\\n  see: the log")
            if run.steps == 14:
                raise ValueError("a bug")
            print(type(run).__name__, run.seed, job.folder, *job.overrides)
            return float(run.seed)
        if __name__ == "__main__":
            main(train)
    """,
}


def plant(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        lines = text.strip("\n").splitlines()
        indent = len(lines[0]) - len(lines[0].lstrip())
        (folder / name).write_text("\n".join(line[indent:] for line in lines).rstrip() + "\n")


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The package `runs` of a small tree of its own, with the ConfigStore to itself."""
    plant(tmp_path, TREE)
    ours = [name for name in sys.modules if name.partition(".")[0] in PACKAGES]
    kept = {name: sys.modules.pop(name) for name in ours}
    Plugins.instance()  # stores its own options when it is first asked for
    repo = ConfigStore.instance().repo
    monkeypatch.setattr(ConfigStore.instance(), "repo", {"hydra": copy.deepcopy(repo["hydra"])})
    ConfigStore.instance().store("_dummy_empty_config_", {}, provider="hydra")
    monkeypatch.setattr(registry, "_classes", {})
    monkeypatch.syspath_prepend(str(tmp_path))
    source._classes.cache_clear()
    yield importlib.import_module("runs")
    for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
        del sys.modules[name]
    sys.modules.update(kept)
    source._classes.cache_clear()


def plain(words: list[str]) -> DictConfig:
    with hydra.initialize(version_base="1.3", config_path=None):
        return hydra.compose("config", words)


def counted(action: Callable[[], Any], *codes: CodeType) -> Counter[str]:
    """How often each of these functions is called."""
    found: Counter[str] = Counter({code.co_qualname: 0 for code in codes})

    def profile(frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code in codes:
            found[frame.f_code.co_qualname] += 1

    sys.setprofile(profile)
    try:
        action()
    finally:
        sys.setprofile(None)
    return found


def test_every_node_is_in_the_store_under_the_group_and_name_of_its_path(runs: ModuleType) -> None:
    prepare(runs.Run)
    listed = ConfigStore.instance().list
    assert [name for name in listed("model") if name.endswith(".yaml")] == ["both.yaml", "mlp.yaml", "vit.yaml"]
    assert "small.yaml" in listed("model/vit")
    assert [name for name in listed("model/head") if name != "_"] == ["conv.yaml", "mean.yaml"]
    assert [name for name in listed("run") if name.endswith(".yaml")] == ["default.yaml", "other.yaml", "preset.yaml"]
    assert listed("run/nested") == ["deep.yaml"]
    assert [name for name in listed("optim") if name != "_"] == ["ratio.yaml"]


def test_a_file_that_is_imported_is_in_the_store_without_prepare(runs: ModuleType) -> None:
    vit = importlib.import_module("models.vit")
    loaded = ConfigStore.instance().load("model/vit/small.yaml")
    assert OmegaConf.get_type(loaded.node) is vit.Small
    assert loaded.node.dim == 384
    assert loaded.group == "model/vit"
    assert loaded.provider == "cn"


def test_a_loaded_node_has_types_and_a_defaults_list_with_self_last_and_no_children(runs: ModuleType) -> None:
    importlib.import_module("models.vit")
    node = ConfigStore.instance().load("model/vit.yaml").node
    assert OmegaConf.to_yaml(node) == (
        "dim: 192\nrate: 1.0\nact: gelu\nsize:\n- 32\n- 16\nroot: !!python/object/apply:"
        f"{type(Path()).__module__}.PosixPath\n- here\n"
        "colour: RED\ndrop: null\nnames:\n- a\n- b\ntable:\n  x: 1\neither: text\n"
        "pattern: \\${not} an \\\\\\${interpolation}\ndefaults:\n- /model/head@head: mean\n- _self_\n"
    )
    with pytest.raises(Exception, match="could not be converted to Integer"):
        node.dim = "wide"
    assert node.pattern == "${not} an \\${interpolation}"


def test_an_alias_group_shows_the_options_of_the_annotated_type(runs: ModuleType) -> None:
    prepare(runs.Run)
    listed = ConfigStore.instance().list
    for group in ("teacher", "model/first", "teacher/second"):
        assert [name for name in listed(group) if name.endswith(".yaml")] == ["both.yaml", "mlp.yaml", "vit.yaml"]
        assert [name for name in listed(f"{group}/head") if name.endswith(".yaml")] == ["conv.yaml", "mean.yaml"]
    assert [name for name in listed("callbacks") if name.endswith(".yaml")] == ["checkpoint.yaml", "stop.yaml"]


SAME = [
    "",
    "model=vit",
    "model=vit/small",
    "model=vit model/head=conv",
    "model=vit model/head=conv model.head.width=7 model.dim=3",
    "teacher=vit",
    "teacher=vit teacher/head=conv teacher.head.width=9 model=vit",
    "run=other",
    "run=other model/head=conv seed=5",
    "run=preset",
    "run=preset model.dim=7 model.head.width=6",
    "run=preset model=mlp",
    "run=preset model/head=mean",
    "run=preset teacher=mlp",
    "run=preset ~teacher",
    "run=preset callbacks.mine.patience=8 callbacks.checkpoint.when.why=x",
    "run=preset ~callbacks.mine",
    "run=preset callbacks=[]",
    "run=preset callbacks/checkpoint/when=always",
    "run=nested/deep",
    "run=nested/deep model.first.dim=3 model.second.dim=2",
    "run=nested/deep model/second=vit model/second/head=conv",
    "model=both model/first=both model.first.first.dim=8",
    "callbacks=[stop]",
    "callbacks=stop",
    "callbacks=[stop,checkpoint] callbacks.stop.patience=2 callbacks/checkpoint/when=never",
    "callbacks=[checkpoint/fast] callbacks/checkpoint_fast/when=never",
    "+callbacks=stop",
    "model=vit model.act=3 model.size=[1,2] model.root=there model.colour=BLUE model.drop=0.5 model.names=[c]",
    "model=vit model.either=4 model.table.x=2 model.rate=2 model.root=/a/b",
    "model=vit +model.table.y=3",
    "optim.numerator=1",
]


@pytest.mark.parametrize("words", SAME)
def test_plain_hydra_composes_what_cn_composes(runs: ModuleType, words: str) -> None:
    prepare(runs.Run)
    config = plain(words.split())
    made: Any = OmegaConf.to_object(config)
    ours = cn.compose(runs.Run, words.split())
    assert cn.compose(made) == ours
    assert type(made.model) is OmegaConf.get_type(config, "model") is type(ours.model)
    assert OmegaConf.is_missing(config, "teacher") is False
    assert (config.teacher is None) == (ours.teacher is None)


def test_what_plain_hydra_cannot_say_or_says_otherwise(runs: ModuleType) -> None:
    """The list in the docstring of `prepare`."""
    prepare(runs.Run)
    said = {
        "run=preset teacher=null": "run=preset ~teacher",
        "run=preset callbacks=null": "run=preset callbacks=[]",
        "run=preset ~callbacks": "run=preset callbacks=[]",
        "+callbacks/more=stop": "+callbacks@callbacks.more=stop",
        "warmup=3": "+warmup=3",
    }
    for ours, theirs in said.items():
        with pytest.raises((ValueError, HydraException)):
            OmegaConf.to_object(plain(ours.split()))
        made: Any = OmegaConf.to_object(plain(theirs.split()))
        assert cn.compose(made) == cn.compose(runs.Run, ours.split()), ours
    otherwise = {
        "run=preset model=vit": ("model.dim", 96, 192),
        "callbacks=[stop] +callbacks=checkpoint": ("callbacks.checkpoint.every", 1, None),
    }
    for words, (address, ours, theirs) in otherwise.items():
        composed = mirror(cn.compose(runs.Run, words.split()))
        assert OmegaConf.select(composed, address) == ours
        assert OmegaConf.select(plain(words.split()), address) == theirs


def test_a_required_child_and_a_required_value_must_be_given_to_plain_hydra_too(
    runs: ModuleType, tmp_path: Path
) -> None:
    plant(
        tmp_path,
        {
            "runs/bare.py": """
                from models import Model
                from runs import Run
                class Bare(Run):
                    model: Model
                    width: int
            """
        },
    )
    prepare(runs.Run)
    with pytest.raises(Exception, match="You must specify 'model'"):
        plain(["run=bare"])
    with pytest.raises(Exception, match="has missing mandatory value: width"):
        OmegaConf.to_object(plain(["run=bare", "model=mlp"]))
    words = ["run=bare", "model=mlp", "width=3"]
    made: Any = OmegaConf.to_object(plain(words))
    assert cn.compose(made) == cn.compose(runs.Run, words)


def test_a_contract_may_be_the_root_of_one_store_after_another(runs: ModuleType) -> None:
    prepare(sys.modules["models"].Model)
    assert plain(["model=vit", "head=conv"]).head.width == 3
    prepare(runs.Run)
    made: Any = OmegaConf.to_object(plain(["model=vit"]))
    assert cn.compose(made) == cn.compose(runs.Run, ["model=vit"])


def test_prepare_does_not_replace_a_config_of_another_owner(runs: ModuleType) -> None:
    ConfigStore.instance().store("config", {"a": 1})
    with pytest.raises(cn.UserError) as caught:
        prepare(runs.Run)
    assert str(caught.value) == (
        "the ConfigStore holds 'config' already, stored by your code\n  store it under another name"
    )


def test_prepare_refuses_two_nodes_at_one_address(runs: ModuleType, tmp_path: Path) -> None:
    plant(
        tmp_path,
        {
            "runs/odd.py": """
                from runs import Run
                from runs.callbacks.when import When
                from runs.callbacks.when.always import Always
                class Odd(Run):
                    optim: When = Always()
            """,
            "runs/callbacks/when/ratio.py": """
                from runs.callbacks.when import When
                class Ratio(When):
                    pass
            """,
        },
    )
    with pytest.raises(cn.UserError) as caught:
        prepare(runs.Run)
    assert str(caught.value) == (
        "optim=ratio is two nodes, and Hydra's groups can hold one\n"
        "  Ratio at runs/optim/ratio.py:2\n"
        "  Ratio at runs/callbacks/when/ratio.py:2\n"
        "  write: another name for the attribute, or for one of the classes"
    )


def test_a_file_that_cannot_be_used_harms_no_other(runs: ModuleType, tmp_path: Path) -> None:
    plant(
        tmp_path,
        {
            "models/broken.py": "raise OSError('no')",
            "models/vague.py": """
                from __future__ import annotations
                from models import Model
                class Vague(Model):
                    head: Hed
                    def build(self): ...
            """,
        },
    )
    prepare(runs.Run)
    assert plain(["model=vit"]).model.dim == 192


def test_instantiate_builds_a_target_from_a_composed_node_and_from_its_config(runs: ModuleType) -> None:
    prepare(runs.Run)
    words = ["optim.numerator=1"]
    assert hydra.utils.instantiate(cn.compose(runs.Run, words).optim) == Fraction(1, 4)
    assert hydra.utils.instantiate(plain(words).optim) == Fraction(1, 4)


def test_a_class_body_builds_nothing_for_hydra(runs: ModuleType) -> None:
    importing = counted(
        lambda: importlib.import_module("models.vit"), structured.__code__, DictConfig.__init__.__code__
    )
    assert set(importing.values()) == {0}


def test_an_entry_is_built_once_and_each_load_is_a_copy(runs: ModuleType) -> None:
    importlib.import_module("models.vit")
    load = ConfigStore.instance().load
    built = counted(lambda: [load("model/vit.yaml") for _ in range(3)], structured.__code__)
    assert built["structured"] == 1
    load("model/vit.yaml").node.dim = 1
    assert load("model/vit.yaml").node.dim == 192


def test_copying_the_store_copies_no_node(runs: ModuleType) -> None:
    prepare(runs.Run)
    plain(["model=vit"])
    held = {name: each for name, each in ConfigStore.instance().repo.items() if isinstance(each, Folder)}
    copied: list[Any] = []
    calls = counted(lambda: copied.append(copy.deepcopy(held)), structured.__code__, DictConfig.__deepcopy__.__code__)
    assert calls == {"structured": 0, "DictConfig.__deepcopy__": 0}
    copied[0]["model"]["more.yaml"] = 1
    assert "more.yaml" not in ConfigStore.instance().repo["model"]


def test_composing_builds_only_what_is_chosen_however_many_are_registered(runs: ModuleType) -> None:
    prepare(runs.Run)
    codes = (structured.__code__, DictConfig.__deepcopy__.__code__)
    plain(["model=vit"])
    few = counted(lambda: plain(["model=vit"]), *codes)
    entries = [Entry(importlib.import_module("models.vit").ViT, "model", f"n{i}") for i in range(5000)]
    for entry in entries:
        store(entry)
    many = counted(lambda: plain(["model=vit"]), *codes)
    assert few == many
    assert many["structured"] == 0
    chosen = counted(lambda: plain(["model=n7"]), *codes)
    assert chosen["structured"] == 1
    assert sum(entry._node is not None for entry in entries) == 1


def test_the_store_goes_through_pickle(runs: ModuleType) -> None:
    prepare(runs.Run)
    plain(["run=preset"])
    back = pickle.loads(pickle.dumps(ConfigStore.instance().repo))
    assert back["model"]["vit.yaml"].node == ConfigStore.instance().repo["model"]["vit.yaml"].node


# The command line, in a process of its own.


def command(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "train.py", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plant(tmp_path, TREE)
    return tmp_path


def written(folder: Path) -> list[str]:
    """The files that a command left."""
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return sorted(files - set(TREE))


def test_hydra_run_dir_decides_the_folder_and_no_yaml_is_written(folder: Path) -> None:
    done = command(folder, "hydra.run.dir=out/x", "model=vit")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Default 1 {folder}/out/x model=vit\n"
    assert written(folder) == ["out/x/train.log"]


def test_the_folder_may_be_named_after_choices_values_and_overrides(folder: Path) -> None:
    name = "${hydra:runtime.choices.model}-${model.dim}-${warmup}-${hydra:runtime.choices.callbacks}"
    done = command(folder, f"hydra.run.dir={name}/${{hydra.job.override_dirname}}", "model=vit", "callbacks=[stop]")
    assert (done.returncode, done.stderr) == (0, "")
    assert written(folder) == ["vit-192-5-['stop']/callbacks=[stop],model=vit/train.log"]


def test_yaml_is_written_where_it_is_asked_for(folder: Path) -> None:
    assert command(folder, "hydra.run.dir=out", "hydra.output_subdir=.hydra").returncode == 0
    assert written(folder) == [
        "out/.hydra/config.yaml",
        "out/.hydra/hydra.yaml",
        "out/.hydra/overrides.yaml",
        "out/train.log",
    ]


def test_every_form_of_override_works_beside_hydras_own(folder: Path) -> None:
    words = ["run=preset", "teacher=null", "~callbacks.mine", "+callbacks/more=stop", "warmup=3", "steps=1e3"]
    words += ["seed=${model.dim}", "model.pattern='a, ${model.dim}'"]
    done = command(folder, "hydra.run.dir=out", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Preset 96 {folder}/out {' '.join(words)}\n"


def test_an_interpolation_is_of_each_run_of_a_sweep(folder: Path) -> None:
    done = command(folder, "-m", "hydra.sweep.dir=s", "model=vit", "model.dim=1,2", "seed=${model.dim}")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Default 2 {folder}/s/1 model=vit model.dim=2 seed=${{model.dim}}\n" in done.stdout


def test_a_launcher_runs_every_combination_and_no_yaml_is_written(folder: Path) -> None:
    done = command(
        folder, "-m", "hydra/launcher=basic", "hydra.sweep.dir=s", "seed=1,2", "model=glob(m*)", "callbacks=null"
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = [line for line in done.stdout.splitlines() if "HYDRA" not in line]
    assert said == [
        f"Default 1 {folder}/s/0 seed=1 model=mlp callbacks=null",
        f"Default 2 {folder}/s/1 seed=2 model=mlp callbacks=null",
        "",
        "no.  seed  result",
        "---  ----  ------",
        "0    1     1.0000",
        "1    2     2.0000",
    ]
    assert written(folder) == ["s/0/train.log", "s/1/train.log"]


def test_batches_are_no_larger_than_asked(folder: Path) -> None:
    done = command(folder, "-m", "hydra.sweeper.max_batch_size=2", "hydra.sweep.dir=s", "seed=range(3)")
    assert done.stdout.count("[HYDRA] Launching 2 jobs locally") == 1
    assert done.stdout.count("[HYDRA] Launching 1 jobs locally") == 1
    assert written(folder) == ["s/0/train.log", "s/1/train.log", "s/2/train.log"]


def test_a_run_that_fails_does_not_stop_the_others(folder: Path) -> None:
    done = command(folder, "-m", "hydra.sweep.dir=s", "steps=13,100")
    assert done.returncode == 1
    assert done.stdout.endswith(
        "no.  steps  result\n---  -----  ----------------------------\n"
        "0    13     failed: 13 steps are too few\n1    100    1.0000\n"
    )
    assert done.stderr == "Error executing job with overrides: ['steps=13']\n1 of 2 runs failed\n"


def test_a_run_that_fails_says_what_it_says_without_hydra(folder: Path) -> None:
    done = command(folder, "hydra.run.dir=out", "steps=13")
    assert done.returncode == 1
    assert done.stderr == "Error executing job with overrides: ['steps=13']\n13 steps are too few\n  see: the log\n"


@pytest.mark.parametrize("words", [["hydra.run.dir=out", "steps=14"], ["-m", "hydra.sweep.dir=out", "steps=14,15"]])
def test_a_bug_in_the_program_keeps_its_traceback(folder: Path, words: list[str]) -> None:
    done = command(folder, *words)
    assert done.returncode == 1
    assert "Traceback (most recent call last):" in done.stderr
    assert done.stderr.endswith("ValueError: a bug\n")


WRONG = {
    "hydra.run.dir=out model=vt": (
        "model=vt: no model is called 'vt'\n"
        "  options are the subclasses of Model (models/__init__.py:3)\n"
        "  nearest: vit"
    ),
    "hydra.run.dir=out seed=x": "seed=x: seed is int, not 'x'\n  defined in runs/__init__.py:12",
    "-m hydra.sweep.dir=out seed=1,x": "seed=x: seed is int, not 'x'\n  defined in runs/__init__.py:12",
    "hydra.run.dir=out seed=1,2": (
        "seed=1,2 stands for several runs, and one was asked for\n"
        "  for one run each: python train.py -m seed=1,2\n"
        "  for one list: 'seed=[1,2]'"
    ),
    "hydra.run.dir": ("'hydra.run.dir' cannot be read as NAME=VALUE\n  write: hydra.run.dir=VALUE"),
    "hydra/launcher=basik": (
        "In 'hydra/config': Could not find 'hydra/launcher/basik'\n  nearest: basic\n  see: python train.py --cfg hydra"
    ),
    "-m hydra/sweeper=optuna seed=1,2": (
        "In 'hydra/config': Could not find 'hydra/sweeper/optuna'\n"
        "  it comes with a plugin: pip install hydra-optuna-sweeper\n  see: python train.py --cfg hydra"
    ),
    "hydra/launcher=submitit_slurm": (
        "In 'hydra/config': Could not find 'hydra/launcher/submitit_slurm'\n"
        "  it comes with a plugin: pip install hydra-submitit-launcher\n  see: python train.py --cfg hydra"
    ),
    "-m hydra.sweep.dir=[out seed=1,2": (
        "'hydra.sweep.dir=[out' cannot be read as NAME=VALUE\n  '[' is not closed\n  write: 'hydra.sweep.dir=[out]'"
    ),
    "--cfg hydra hydra.run.dir=a=b": (
        "'hydra.run.dir=a=b' cannot be read as NAME=VALUE\n"
        "  its letter 16, '=', must be quoted\n  write: 'hydra.run.dir=\"a=b\"'"
    ),
    "--info all hydra.run.dir=#": (
        "'hydra.run.dir=#' cannot be read as NAME=VALUE\n"
        "  its letter 15, '#', must be quoted\n  write: 'hydra.run.dir=\"#\"'"
    ),
    "hydra.run.dir='${a..}'": "a ${...} cannot be read\n  see: python train.py --cfg hydra",
    "hydra/launcher=null": (
        "Config group override must be a string or a list. Got NoneType\n  see: python train.py --cfg hydra"
    ),
    "hydra.run.dirr=out": (
        "Could not override 'hydra.run.dirr'.\n"
        "  To append to your config use +hydra.run.dirr=out\n"
        "  Key 'dirr' not in 'RunDir'\n"
        "  see: python train.py --cfg hydra"
    ),
    "hydra.run.dir=${nothing}": ("hydra.run.dir: there is no nothing\n  see: python train.py --cfg hydra"),
    "hydra.run.dir=${oc.env:NOWHERE}": (
        "hydra.run.dir: the environment has no NOWHERE\n"
        "  to have a value without it: '${oc.env:NOWHERE,VALUE}'\n  see: python train.py --cfg hydra"
    ),
    "-m hydra.launcher._target_=nowhere.Launcher seed=1,2": (
        "RuntimeError: Invalid plugin 'nowhere.Launcher': not the hydra_plugins package\n"
        "  see: python train.py --cfg hydra"
    ),
    "-m hydra.job.name=a,b": (
        "Sweeping over Hydra's configuration is not supported : 'hydra.job.name=a,b'\n"
        "  see: python train.py --cfg hydra"
    ),
    "--info defaults run=preset teacher=null": (
        "Config group override must be a string or a list. Got NoneType\n"
        "  what --info shows is how plain Hydra composes, and its grammar is smaller\n"
        "  see: python train.py --cfg hydra"
    ),
    "--info plugin": "--info plugin is not known\n  nearest: plugins",
    "--info plugins --cfg hydra": "--cfg and --info do not go together; keep one of them",
    "--config-name mine": ("--config-name mine: a run is a class, chosen by its name\n  see: python train.py --help"),
    "--config-dir nowhere": "--config-dir nowhere is not a folder",
    "--experimental-rerun nowhere": "--experimental-rerun nowhere: there is no such file",
    "--cfg hydra -p hydra.nothing": "--package hydra.nothing: there is nothing at hydra.nothing",
}


@pytest.mark.parametrize("words", WRONG)
def test_a_mistake_gets_one_clear_text_and_leaves_nothing(folder: Path, words: str) -> None:
    done = command(folder, *words.split())
    assert done.stderr == WRONG[words] + "\n"
    assert done.returncode == 2
    assert [name for name in written(folder) if not name.startswith("outputs/")] == []


def test_a_tilde_in_hydras_folder_is_the_home_folder(folder: Path) -> None:
    home = folder / "home"
    home.mkdir()
    done = command(folder, "hydra.run.dir='~/one'", HOME=str(home))
    assert (done.returncode, done.stderr) == (0, "")
    assert (home / "one").is_dir()
    assert not (folder / "~").exists()


def test_hydras_traceback_is_there_for_who_asks(folder: Path) -> None:
    done = command(folder, "hydra/launcher=nope", HYDRA_FULL_ERROR="1")
    assert done.returncode == 1
    assert "hydra.errors.MissingConfigException: In 'hydra/config': Could not find 'hydra/launcher/nope'" in done.stderr


SHOWN = {
    "--info plugins": "BasicLauncher",
    "--info searchpath": "structured://",
    "--info defaults run=preset": "| model/_/preset ",
    "--info defaults-tree": "run: default:",
    "--info config model=vit": "dim: 192",
    "--info": "Installed Hydra Plugins",
    "--hydra-help": "== Flags ==",
    "--cfg hydra": "hydra:\n  run:\n    dir: outputs/",
    "--cfg all model=vit": "colour: RED",
    "--cfg hydra -p hydra.run hydra.run.dir=x": "# @package hydra.run\ndir: x\n",
    "--cfg hydra --resolve -p hydra.job.override_dirname seed=3": "seed=3\n",
    "--cfg job hydra.run.dir=x seed=3": "    seed=3,",
    "--help hydra.run.dir=x": "python train.py [NAME=VALUE ...]",
}


@pytest.mark.parametrize("words", SHOWN)
def test_what_hydra_shows(folder: Path, words: str) -> None:
    done = command(folder, *words.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert SHOWN[words] in done.stdout
    assert written(folder) == []


def test_a_folder_of_hydras_own_files_may_be_added(folder: Path) -> None:
    (folder / "site" / "hydra" / "launcher").mkdir(parents=True)
    (folder / "site/hydra/launcher/ours.yaml").write_text(
        "_target_: hydra._internal.core_plugins.basic_launcher.BasicLauncher\n"
    )
    done = command(folder, "--config-dir", "site", "-m", "hydra/launcher=ours", "hydra.sweep.dir=s", "seed=1,2")
    assert (done.returncode, done.stderr) == (0, "")
    assert "s/1/train.log" in written(folder)


PLUGIN = """
    import pickle
    from hydra._internal.core_plugins.basic_launcher import BasicLauncher, BasicLauncherConf
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.config_store import ConfigStore
    class Away(BasicLauncher):
        def launch(self, job_overrides, initial_job_idx):
            self.__dict__.update(pickle.loads(pickle.dumps(self.__dict__)))
            return super().launch(job_overrides, initial_job_idx)
    class Backwards(BasicSweeper):
        def sweep(self, arguments):
            self.max_batch_size, self.overrides = None, None
            for seed in (2, 1):
                words = [f"seed={seed}" if each.startswith("seed=") else each for each in arguments]
                self.validate_batch_is_legal([words])
                print("returned", self.launcher.launch([words], initial_job_idx=seed)[0].return_value)
    store = ConfigStore.instance().store
    store("away", {"_target_": "hydra_plugins.ours.Away"}, group="hydra/launcher")
    store("backwards", {"_target_": "hydra_plugins.ours.Backwards", "max_batch_size": None}, group="hydra/sweeper")
"""


def test_a_launcher_of_a_plugin_may_send_jobs_elsewhere(folder: Path) -> None:
    plant(folder, {"hydra_plugins/ours.py": PLUGIN})
    done = command(folder, "-m", "hydra/launcher=away", "hydra.sweep.dir=s", "seed=1,2", "callbacks=null")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Default 2 {folder}/s/1 seed=2 callbacks=null\n" in done.stdout


def test_a_sweeper_of_a_plugin_gets_the_words_as_they_are(folder: Path) -> None:
    plant(folder, {"hydra_plugins/ours.py": PLUGIN})
    words = ["-m", "hydra/sweeper=backwards", "hydra.sweep.dir=s", "seed=interval(1,2)", "teacher=null", "steps=5"]
    done = command(folder, *words)
    assert (done.returncode, done.stderr) == (0, "")
    said = [line for line in done.stdout.splitlines() if "HYDRA" not in line]
    assert said == [
        f"Default 2 {folder}/s/2 seed=2 teacher=null steps=5",
        "returned 2.0",
        f"Default 1 {folder}/s/1 seed=1 teacher=null steps=5",
        "returned 1.0",
    ]
    done = command(folder, *words, "stepps=5")
    assert done.stderr.startswith("stepps=5: Default has no field 'stepps'\n")
    assert done.returncode == 2


def test_only_the_files_that_are_chosen_are_imported(folder: Path) -> None:
    plant(folder, {"models/broken.py": "raise OSError('no')"})
    done = command(folder, "hydra.run.dir=out", "model=vit")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_job_that_hydra_pickled_can_be_run_again(folder: Path) -> None:
    callback = "+hydra.callbacks.keep._target_=hydra.experimental.callbacks.PickleJobInfoCallback"
    assert command(folder, "hydra.run.dir=out", "hydra.output_subdir=info", callback, "seed=4").returncode == 0
    done = command(folder, "--experimental-rerun", "out/info/config.pickle")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"Default 4 {folder}/out seed=4\n"
