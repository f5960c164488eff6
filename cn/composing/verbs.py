"""What an override does to its field, and the sign before its name that says so."""

from __future__ import annotations

from typing import Literal

Verb = Literal["set", "add", "force", "delete"]
VERBS: dict[str, Verb] = {"": "set", "+": "add", "++": "force", "~": "delete"}  # sign -> verb
SIGNS: dict[Verb, str] = {verb: sign for sign, verb in VERBS.items()}
ORDER: dict[Verb, int] = {"set": 0, "force": 0, "delete": 1, "add": 2}  # in which the overrides of one path apply
