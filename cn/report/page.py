"""The page of a report: one HTML file with its data, its script and the library that draws, opened from the disk."""

from __future__ import annotations

import html
import json
import re
from importlib.resources import files
from pathlib import Path

from cn.errors import RunError
from cn.files import write_whole
from cn.lazy import needs
from cn.report.content import Content


def write(content: Content, path: Path) -> Path:
    """Write the page. UserError if the package plotly is missing; RunError if the file cannot be written."""
    needs("report", "plotly", install="'cn[report]'")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, page(content))
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror or error}") from None
    return path


def page(content: Content) -> str:
    """Return the text of the page."""
    from plotly.offline import get_plotlyjs  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

    here = files("cn.report")
    parts = {
        "TITLE": html.escape(content.title),
        "STYLE": (here / "page.css").read_text(encoding="utf-8"),
        "DATA": _json(content),
        "PLOTLY": get_plotlyjs(),
        "SCRIPT": (here / "page.js").read_text(encoding="utf-8"),
    }
    template = (here / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\[\[([A-Z]+)\]\]", lambda found: parts[found[1]], template)  # no part is searched for other names


def _json(content: Content) -> str:
    """Return the data as JSON that may stand in a script element: no text of it can end the element."""
    text = json.dumps(content.plain(), allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
