"""What Hydra itself sees: the ConfigStore, and plain composing from it."""

from __future__ import annotations

import copy
import importlib
import pickle
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
from cn.discovery import registry, source
from cn.hydra_compat.config import LISTED, mirror, structured
from cn.hydra_compat.options import prepare
from cn.hydra_compat.store import Entry, Folder, store
from tests.cn.hydra_compat.tree import TREE, plant

PACKAGES = ("models", "runs")


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
    base: Any = {"version_base": "1.3"} if hydra.__version__ < "1.4" else {}
    with hydra.initialize(config_path=None, **base):
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_plain_hydra_drops_a_node(runs: ModuleType) -> None:
    prepare(runs.Run)
    ours = cn.compose(runs.Run, ["run=preset", "~teacher"])
    assert cn.compose(OmegaConf.to_object(plain(["run=preset", "teacher=[]"]))) == ours
    if LISTED:  # Hydra 1.4 deletes no default that stands in a list, as one does whose option has a slash in its name
        with pytest.raises(HydraException):
            plain(["run=preset", "~teacher"])
    else:
        assert cn.compose(OmegaConf.to_object(plain(["run=preset", "~teacher"]))) == ours
    plant(
        Path(runs.__path__[0]).parent,
        {
            "runs/taught.py": """
                from models import Model
                from models.mlp import Mlp
                from runs import Run
                class Taught(Run):
                    teacher: Model | None = Mlp()
            """
        },
    )
    prepare(runs.Run)
    dropped = cn.compose(OmegaConf.to_object(plain(["run=taught", "~teacher"])))
    assert dropped == cn.compose(runs.Run, ["run=taught", "~teacher"])


@pytest.mark.slow
def test_what_plain_hydra_cannot_say_or_says_otherwise(runs: ModuleType) -> None:
    """The list in the docstring of `prepare`."""
    prepare(runs.Run)
    said = {
        "run=preset teacher=null": "run=preset teacher=[]",
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
            "runs/even.py": """
                from runs import Run
                from runs.optim import Optim
                from runs.optim.ratio import Ratio
                class Even(Run):
                    second: Optim = Ratio()
            """,
            "runs/odd.py": """
                from runs import Run
                from runs.callbacks.when import When
                from runs.callbacks.when.always import Always
                class Odd(Run):
                    second: When = Always()
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
        "second=ratio is two nodes, and Hydra's groups can hold one\n"
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
    allowed: Any = {} if hydra.__version__ < "1.4" else {"_execution_whitelist_": ["fractions.Fraction"]}
    assert hydra.utils.instantiate(cn.compose(runs.Run, words).optim, **allowed) == Fraction(1, 4)
    assert hydra.utils.instantiate(plain(words).optim, **allowed) == Fraction(1, 4)


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


@pytest.mark.slow
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
