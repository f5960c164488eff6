"""A process that composes YAML with Hydra: `python -m cn.importing.proof.by_hydra`, its task as JSON on stdin.

What the tree needs from its repository's code is put in place by stubs: a resolver of the user's gives
`<name:arguments>`, a variable of the environment `<env:NAME>`, a plugin of Hydra that is not installed an empty option.
"""

from __future__ import annotations

import enum
import importlib
import json
import math
import os
import re
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

BUILT_IN = ("oc.create", "oc.decode", "oc.deprecated", "oc.dict.keys", "oc.dict.values", "oc.select")


def main() -> None:
    """Compose each case of the task, and print a line of JSON for each."""
    warnings.simplefilter("ignore")
    task: dict[str, Any] = json.load(sys.stdin)
    answers = sys.stdout
    sys.stdout = sys.stderr
    import yaml

    yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # OmegaConf's loader is a subclass: 5 times as fast
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    config: Any = OmegaConf
    with initialize_config_dir(config_dir=task["folder"], version_base=task["version_base"], job_name="app"):
        sys.path.insert(0, ".")
        for module in task["schema"]:
            importlib.import_module(module)
        _stub_plugins(Path(task["folder"]), task["plugins"])
        _stub_resolvers(config, task["resolvers"])
        for primary, overrides in cast("list[tuple[str, list[str]]]", task["cases"]):
            start = time.perf_counter()
            answer: dict[str, Any]
            try:
                made: Any = compose(config_name=primary, overrides=list(overrides), return_hydra_config=True)
                seconds = time.perf_counter() - start
                choices = config.to_container(made.hydra.runtime.choices)
                config.set_struct(made, False)
                config.set_readonly(made, False)
                made.pop("hydra")
                unresolved = plain(config.to_container(made, resolve=False))
                answer = {"ok": True, "resolved": resolved(made), "unresolved": unresolved, "choices": choices}
            except Exception as error:
                seconds = time.perf_counter() - start
                answer = {"ok": False, "error": f"{type(error).__name__}: {_told(error)[:600]}"}
            answers.write(json.dumps({**answer, "seconds": seconds}) + "\n")
            answers.flush()


def _told(error: BaseException) -> str:
    """Return the text of an error; of its cause if it has none itself."""
    return str(error).strip() or (_told(error.__cause__) if error.__cause__ is not None else "")


def _stub_plugins(root: Path, plugins: list[tuple[str, str]]) -> None:
    """Put an option in the place of each that a plugin would bring: `hydra/sweeper: optuna`.

    It chooses what the tree chooses within it, so that `override hydra/sweeper/sampler: tpe` has what to override.
    """
    from hydra.core.config_store import ConfigStore

    inner: dict[str, dict[str, str]] = {}
    for group, option in plugins:
        above, _, name = group.rpartition("/")
        inner.setdefault(above, {}).setdefault(name, option)
    for group, option in plugins:
        folder: Any = ConfigStore.instance().repo
        for part in group.split("/"):
            folder = folder.get(part, {})
        if f"{option}.yaml" not in folder and not (root / group / f"{option}.yaml").is_file():
            chosen = [{name: each} for name, each in inner.get(group, {}).items()]
            node = {"defaults": [*chosen, "_self_"]} if chosen else {}  # Hydra may have an option of that name itself
            ConfigStore.instance().store(group=group, name=option, node=node)


def _stub_resolvers(config: Any, names: list[str]) -> None:
    for name in {*names, "now"} - set(BUILT_IN):
        config.register_new_resolver(name, eval if name == "eval" else _stubbed(name), replace=True)
    config.register_new_resolver("oc.env", _variable, replace=True)
    config.register_new_resolver("oc.decode", _decoded, replace=True)
    config.register_new_resolver("hydra", lambda key, *_: f"<hydra:{key}>", replace=True)  # pyright: ignore


def _stubbed(name: str) -> Callable[..., str]:
    def stubbed(*arguments: Any) -> str:
        texts = [*map(_text, arguments)]
        if any("<error:" in text for text in texts):
            raise ValueError("a part of an argument cannot be worked out")
        return f"<{name}:{','.join(texts)}>"

    return stubbed


def _text(value: Any) -> str:
    value = resolved(value)
    return json.dumps(value, sort_keys=True) if isinstance(value, (dict, list)) else str(value)


def _variable(key: str, default: Any = ...) -> str | None:
    return f"<env:{key}>" if default is ... else None if default is None else str(default)


def _decoded(text: Any, _parent_: Any, _node_: Any) -> Any:
    """Return what `oc.decode` gives; the text of a stub as it is, since OmegaConf's grammar cannot read it."""
    from omegaconf.resolvers import oc

    is_stub = isinstance(text, str) and re.fullmatch(r"<\w+:.*>", text, re.DOTALL)
    return text if is_stub else oc.decode(text, _parent_, _node_)


def resolved(value: Any, depth: int = 0) -> Any:
    """Return plain values, each worked out by itself, so that one that cannot be does not hide the others."""
    from omegaconf import DictConfig, OmegaConf

    if not OmegaConf.is_config(value):
        return plain(value)
    if depth > 100 or value._is_missing():
        return "???"
    if value._is_none():
        return None
    found: dict[Any, Any] = {}
    for key in list(value.keys()) if isinstance(value, DictConfig) else range(len(value)):
        try:
            found[key] = "???" if OmegaConf.is_missing(value, key) else resolved(value[key], depth + 1)
        except Exception as error:
            found[key] = f"<error:{type(error).__name__}: {str(error).strip().splitlines()[0]}>"
    return {key_text(key): item for key, item in found.items()} if isinstance(value, DictConfig) else [*found.values()]


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: `<float:nan>`, and `<int:3>` for a key that is no text."""
    if isinstance(value, dict):
        return {key_text(key): plain(item) for key, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in cast("list[Any]", value)]
    if isinstance(value, float) and not math.isfinite(value):
        return f"<float:{value}>"
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, Path):
        return str(value)
    known = value is None or isinstance(value, (bool, int, float, str))
    return value if known else f"<{type(value).__name__}:{value}>"


def key_text(key: Any) -> str:
    return key if isinstance(key, str) else f"<{type(key).__name__}:{key}>"


if __name__ == "__main__":
    os.environ.setdefault("HYDRA_FULL_ERROR", "0")
    main()
