"""Addresses of YAML as Python."""

from __future__ import annotations

from cn.importing.families import Families


def python_of(families: Families, keys: list[str]) -> str:
    """Return Python for an absolute address of YAML."""
    text, family, data = "run", families.run, False
    for key in keys:
        if data or family is None:
            text += f"[{int(key)}]" if key.isdecimal() else f'["{key}"]' if data else f".{key}"
            continue
        field = family.fields.get(key)
        if field is None and key in family.extra:
            text += f".{key}" if key.isidentifier() else f'.extra["{key}"]'
            data = True
            continue
        name = field.name if field is not None else key
        text += f".{name}" if name.isidentifier() else f"[{name}]"
        data = field is not None and (families.is_data(field) or families.of(field) is None)
        family = families.of(field) if field is not None else None
    return text
