"""The files that a run of Hydra left: its configuration, and the options that were chosen for it."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any, cast

from cn.errors import UserError, hint
from cn.importing.defaults_lists.packages import option_of, override_key, place_of
from cn.importing.reading.tree_paths import ENDINGS
from cn.importing.reading.yaml_files import File, read_one, refuse_unread

FOLDER, CONFIG, HYDRA, OVERRIDES = ".hydra", "config.yaml", "hydra.yaml", "overrides.yaml"
RECORD = "config.json"  # of a run folder of our own
Keys = tuple[Hashable, ...]


def config_of(source: Path) -> Path | None:
    """Return the file with the configuration, if a path is a run folder of Hydra, its `.hydra` or a file of YAML.

    UserError for a folder of several runs of Hydra.
    """
    if source.suffix in ENDINGS and not source.is_dir():
        return source
    if (source / RECORD).exists():
        return None
    for folder in (source / FOLDER, source):
        if (folder / CONFIG).is_file() and (folder.name == FOLDER or source.name == FOLDER):
            return folder / CONFIG
    inner = sorted(source.glob(f"*/{FOLDER}/{CONFIG}")) if source.is_dir() else []
    if inner:
        names = [str(each.parents[1]) for each in inner]
        raise UserError(f"{source} holds several runs of Hydra, and --from takes one", hint("", names))
    return None


class Written:
    """What the files of a run say.

    body: the configuration. run: the name of the primary config. choices: the option at each address where one was
    chosen. These two are empty where the files are not there that tell them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = _read(path)
        body: Any = self.file.body
        if not isinstance(body, dict):
            raise UserError(f"{path} holds no configuration: it is a {type(body).__name__}")
        self.body = cast("dict[Hashable, Any]", body)
        beside = path.with_name(HYDRA)
        self.hydra: dict[str, Any] = {}
        if beside.is_file() and beside != path:
            settings = _read(beside).body
            found: Any = cast("dict[str, Any]", settings).get("hydra") if isinstance(settings, dict) else None
            self.hydra = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        self.run = str(self._setting("job", "config_name") or "").removesuffix(".yaml")
        chosen = self._setting("runtime", "choices")
        known = cast("dict[str, Any]", chosen) if isinstance(chosen, dict) else self._typed()
        self.choices = {place_of(str(key))[1]: option_of(value) for key, value in known.items()}

    def place(self, keys: Keys) -> str:
        """Return the file and the line of a value."""
        return self.file.place(keys)

    def text(self, keys: Keys) -> Any:
        """Return a value as it is written."""
        value: Any = self.body
        for key in keys:
            value = cast("dict[Hashable, Any]", value)[key]
        return value

    def _setting(self, *keys: str) -> Any:
        value: Any = self.hydra
        for key in keys:
            value = cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else None
        return value

    def _typed(self) -> dict[str, Any]:
        """Return the choices among the overrides that were typed; one of a value does no harm, since it names none."""
        path = self.path.with_name(OVERRIDES)
        words: Any = _read(path).body if path.is_file() and path != self.path else []
        found: dict[str, Any] = {}
        for word in cast("list[Any]", words) if isinstance(words, list) else []:
            key, _, value = str(word).lstrip("+~").partition("=")
            found[override_key(*place_of(key))] = value
        return found


def _read(path: Path) -> File:
    """Read a file as Hydra does; UserError if that cannot be done."""
    if not path.exists():
        near = sorted(str(each) for each in path.parent.glob("*") if each.suffix in ENDINGS)
        raise UserError(f"{path} is not there", hint(str(path), near) if near else None)
    file = read_one(path)
    if file.error:
        refuse_unread(file)
    return file
