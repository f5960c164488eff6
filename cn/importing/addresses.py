"""Addresses of YAML as Python."""

from __future__ import annotations

from cn.importing.families import Families, field_of


def python_of(families: Families, keys: list[str]) -> str:
    """Return Python for an absolute address of YAML."""
    text, held, data = "run", [families.run], False
    for key in keys:
        if data or not held:
            text += f"[{int(key)}]" if key.isdecimal() else f'["{key}"]' if data else f".{key}"
            continue
        field = field_of(held, key)
        if field is None and any(key in each.extra for each in held):
            text += f".{key}" if key.isidentifier() else f'.extra["{key}"]'
            data = True
            continue
        name = field.name if field is not None else key
        text += f".{name}" if name.isidentifier() else f"[{name}]"
        held = families.every_of(field) if field is not None else []
        data = field is not None and (families.is_data(field) or not held)
    return text
