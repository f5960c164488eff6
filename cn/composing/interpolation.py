"""Interpolations `${...}` on the command line, resolved by OmegaConf after all other overrides are applied."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from cn.composing.overrides import Assignment, read
from cn.errors import UserError, hint, nearest, short
from cn.nodes.field_types import same
from cn.nodes.texts import Texts, texts_of

UNREADABLE = "what stands in its ${...} cannot be read"
NO_PLACE = "it names no place in a list"
ABSENT, UNKNOWN = "there is no PART", "there is no ${PART:...}"
OF_HYDRA = re.compile("now|python_version|hydra.*")  # functions that Hydra gives to OmegaConf once it has started
WORDS = {
    r"Interpolation key '(.*)' not found": ABSENT,
    r"Error resolving key '(.*)'": ABSENT,
    r"Key not found: '(.*)'": ABSENT,
    r"Unsupported interpolation type (\S+)": UNKNOWN,
    r"Recursive interpolation": "it leads back to itself",
    r"Environment variable '(.*)' not found": "the environment has no PART\n"
    "to have a value without it: '${oc.env:PART,VALUE}'",
    r"node `(.*)` is not a container": "PART has nothing inside it",
    r"Index '(.*)' \(str\) is not an int": "PART is no place in a list",
    r"list index out of range": NO_PLACE,
    r"\AGrammarParseError": UNREADABLE,
}  # OmegaConf's message -> our message


def worked_out(
    base: dict[str, Any],
    assignments: Sequence[Assignment],
    among: str = "",
    later: Callable[[], Collection[str]] = tuple,
) -> list[Any]:
    """Resolve each interpolation at its own position in the config, a tree of plain values.

    among: the content of the tree, for error messages. later: returns the addresses of the values that are derived
    once each interpolation is resolved.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import GrammarParseError, OmegaConfBaseException

    tree = OmegaConf.create(literal(base))
    found: list[Any] = []
    text = ""
    try:
        for each in assignments:
            text = each.text
            OmegaConf.update(tree, ".".join(each.path), each.value, merge=False, force_add=True)
        with _without_hydra():
            for each in assignments:
                text = each.text
                value = OmegaConf.select(tree, ".".join(each.path), throw_on_missing=True)
                found.append(OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value)
    except GrammarParseError:
        raise UserError(f"{text} cannot be worked out", UNREADABLE) from None
    except OmegaConfBaseException as error:
        why = in_words(str(error), list(_addresses(base)), among, later)
        raise UserError(f"{text} cannot be worked out", *why) from None
    except ValueError:  # of OmegaConf.update, at `l.x` where `l` is a list
        raise UserError(f"{text} cannot be worked out", NO_PLACE) from None
    return found


def in_words(
    error: str, addresses: Sequence[str] = (), among: str = "", later: Callable[[], Collection[str]] = tuple
) -> list[str | None]:
    """Translate OmegaConf's error into our words, with the nearest addresses."""
    first = error.split("\n")[0]
    said, found = next(((said, found) for each, said in WORDS.items() if (found := re.search(each, first))), ("", None))
    if found is None:
        return [re.sub(r"\A\w+ raised while resolving interpolation: ", "what it calls fails: ", first)]
    part = short(found[1]) if found.groups() else ""
    why, *more = said.replace("PART", part).split("\n")
    if said == ABSENT and part in later():
        return [f"{part} is derived only after each ${{...}} is worked out", f"to give it: {part}=VALUE"]
    if said == ABSENT:
        shown = among or nearest(part.lstrip("."), addresses)  # with `among`, `addresses` is the complete list
        return [f"{why}{among}", hint(part.lstrip("."), addresses) if shown and addresses else None]
    if said == UNKNOWN and OF_HYDRA.fullmatch(part):
        return [f"${{{part}:...}} is Hydra's, and works only in its own options"]
    if said == UNKNOWN:
        return [why, hint(part, [name for name in _resolvers() if not OF_HYDRA.fullmatch(name)])]
    return [why, *more]


@contextmanager
def _without_hydra() -> Generator[None, None, None]:
    """Take Hydra's functions from OmegaConf, so that a command means the same whether or not Hydra has started."""
    known = _resolvers()
    hidden = {name: known.pop(name) for name in list(known) if OF_HYDRA.fullmatch(name)}
    try:
        yield
    finally:
        known.update(hidden)


def _resolvers() -> dict[str, Any]:
    from omegaconf.basecontainer import BaseContainer

    return BaseContainer._resolvers  # pyright: ignore[reportPrivateUsage]


def _addresses(base: dict[Any, Any], above: str = "") -> Iterator[str]:
    for key, value in base.items():
        yield f"{above}{key}"
        if isinstance(value, dict):
            yield from _addresses(cast("dict[Any, Any]", value), f"{above}{key}.")


def readings(value: Any, each: Assignment) -> list[Assignment]:
    """Return what may be meant: the resolved value, then its text as if typed, since `${oc.env:SEED}` is a str."""
    texts = _kept(value, each.value, each.texts)
    other = _read(value, texts)
    found = [(value, texts)] if same(other[0], value) else [(value, texts), other]
    return [each.replace(value=one, raw=str(value), texts=own) for one, own in found]


def literal(value: Any) -> Any:
    """Escape texts that only look like an interpolation. A tuple becomes a list, since OmegaConf holds none."""
    if isinstance(value, str):
        return re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    if isinstance(value, (list, tuple)):
        return [literal(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: literal(item) for key, item in cast("dict[Any, Any]", value).items()}
    return value


def _kept(value: Any, before: Any, texts: Texts) -> Texts:
    """Return the texts of the resolved value; a part without interpolation keeps its typed text."""
    if isinstance(value, list) and isinstance(before, list) and len(cast("list[Any]", value)) == len(texts):
        triples = zip(cast("list[Any]", value), cast("list[Any]", before), texts, strict=True)
        return [_kept(*each) for each in triples]
    if isinstance(value, dict) and isinstance(before, dict):
        old, new = cast("dict[Any, Any]", before), cast("dict[Any, Any]", value)
        if list(old) == list(new):
            return {key: (texts[key][0], _kept(new[key], old[key], texts[key][1])) for key in new}
    return texts if same(value, before) else texts_of(value)


def _read(value: Any, texts: Texts) -> tuple[Any, Texts]:
    if isinstance(value, str):
        return read(value)
    if isinstance(value, list):
        pairs = [_read(*each) for each in zip(cast("list[Any]", value), texts, strict=True)]
        return [item for item, _ in pairs], [text for _, text in pairs]
    if isinstance(value, dict):
        table = {key: _read(item, texts[key][1]) for key, item in cast("dict[Any, Any]", value).items()}
        return {key: item for key, (item, _) in table.items()}, {k: (texts[k][0], t) for k, (_, t) in table.items()}
    return value, texts
