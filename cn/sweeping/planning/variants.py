"""Compose many variants of one run. Nodes that no override changes are made, recorded and encoded once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cn.composing.compose import assemble, compose
from cn.composing.finish import finish
from cn.composing.patches import KEY
from cn.errors import UserError
from cn.nodes.field_types import Child
from cn.nodes.former import before
from cn.nodes.node import CN
from cn.nodes.resolving import kinds_of
from cn.nodes.to_json import plain
from cn.nodes.traversal import settled

ENCODE = json.JSONEncoder(sort_keys=True).encode


class Variants:
    """The variants of a run. Their nodes and records share parts, so they must not be changed."""

    def __init__(self, base: CN) -> None:
        self.base = compose(base)
        self.nodes = settled(self.base)
        self.records = {key: plain(node) for key, node in self.nodes.items()}
        self.former = {key: before(node, self.records[key]) for key, node in self.nodes.items()}
        own = before(self.base, self.record(self.base), self.former)
        self.chosen: dict[tuple[str, ...], Variants | None] = {}
        self.texts = {name: (value, f"{ENCODE(name)}: {ENCODE(value)}") for name, value in own.items()}

    def of(self, words: Sequence[str]) -> tuple[Variants, Sequence[str]]:
        """Return the variants of the base with those options that the words choose for its own fields, and the other
        words.
        """
        fields = kinds_of(self.base)
        chosen = tuple(each for each in words if isinstance(fields.get(each.partition("=")[0]), Child))
        if not chosen or any("${" in each for each in chosen) or any(each.startswith(f"{KEY}=") for each in words):
            return self, words  # what is typed comes after a patch, so it cannot be chosen before
        if chosen not in self.chosen:
            try:
                self.chosen[chosen] = Variants(compose(self.base, chosen))
            except UserError:  # the other words may make it valid
                self.chosen[chosen] = None
        found = self.chosen[chosen]
        return (self, words) if found is None else (found, [each for each in words if each not in chosen])

    def run(self, words: Sequence[str]) -> CN:
        """Return the base, composed with overrides. Raises UserError as on the command line."""
        run = assemble(self.base, words, keep=self.nodes)
        finish(run, keep=self.nodes)
        return run

    def record(self, run: CN) -> dict[str, Any]:
        """Return the record of a variant."""
        return plain(run, known=self.records)

    def encoded(self, record: dict[str, Any]) -> str:
        """Return the JSON text of a variant's record or of its former record, with sorted keys."""
        parts: list[str] = []
        for name in sorted(record):
            value, text = self.texts.get(name, (..., ""))
            parts.append(text if value is record[name] else f"{ENCODE(name)}: {ENCODE(record[name])}")
        return f"{{{', '.join(parts)}}}"
