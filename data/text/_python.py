"""Python's help texts as a file of plain text."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cn import UserError
from cn.files import write_whole
from data._download import cache, writing


def written() -> Path:
    """Write the file into this user's cache, named by its content's hash; return its path."""
    try:
        from pydoc_data.topics import topics
    except ImportError:
        what = "data: this Python lacks pydoc_data, the text that data=text/python is made of"
        raise UserError(what, "nearest: data=text/file data.path=FILE") from None
    text = "\n\n".join(topics[name].strip() for name in sorted(topics)) + "\n"
    encoded = text.encode()
    path = cache("text") / f"python-{hashlib.sha256(encoded).hexdigest()[:16]}.txt"
    with writing(path.parent):
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, encoded)
    return path
