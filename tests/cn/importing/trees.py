"""Small trees of YAML, written from Python texts, imported and proved."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import NamedTuple

from cn.importing import project
from cn.importing.conversion import Conversion
from cn.importing.convert import Converter
from cn.importing.override_sets import Case
from cn.importing.proof import Proof, Result


class Imported(NamedTuple):
    """What an import of a small tree gave."""

    conversion: Conversion
    folder: Path

    def text(self, path: str) -> str:
        return (self.folder / path).read_text()

    def results(self, *sets: str, primary: str = "config") -> list[Result]:
        """Compose override sets with both, each a text of words."""
        cases: list[Case] = [(primary, each.split()) for each in sets]
        proof = Proof(self.conversion)
        return proof.compare(self.folder, cases, proof.composed_by_hydra(cases))

    def unequal(self, *sets: str, primary: str = "config") -> list[str]:
        """Return each override set that is not equal, with its cause."""
        results = self.results(*sets, primary=primary)
        return [f"{' '.join(each.overrides)}: {each.verdict}: {each.cause}" for each in results if not each.good]


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write a tree; a name without an ending is that of a YAML file. Returns its root."""
    root = folder / "conf"
    for name, text in files.items():
        path = root / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return root


def imported(folder: Path, files: dict[str, str], *primaries: str, exact: bool = False) -> Imported:
    """Write a tree and import it."""
    root = write(folder, files)
    conversion = Converter(root, list(primaries or ["config"]), exact=exact).convert()
    project.write(project.texts(conversion, "new"), folder / "new")
    return Imported(conversion, folder / "new")
