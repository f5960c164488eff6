"""Why no further trial of some code starts: stop.json."""

from __future__ import annotations

from dataclasses import dataclass

from cn.run_folder.state_files import built, content, parsed
from cn.sweeping.folder.store import Store


@dataclass(frozen=True)
class Stop:
    """The content of stop.json: why no further trial of this code starts."""

    reason: str | None
    count: int  # of trials that failed for this reason
    code: str

    def holds(self, code: str, give_up: int | None) -> bool:
        """Return whether the failures are of this code, and enough for a batch with this `give_up`."""
        return code == self.code and give_up is not None and self.count >= give_up


def stopped(store: Store) -> Stop | None:
    """Return why no further trial of some code starts; None if trials may start. Raises DamagedError."""
    path = store.folder / "stop.json"
    text = content(path)
    return None if text is None else built(Stop, parsed(text, path), path)
