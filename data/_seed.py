"""Seeds computed from facts."""

from __future__ import annotations

import hashlib


def seed_of(*facts: object) -> int:
    """Return a seed from 0 to 2**63 - 1, a hash of these facts, such as a run's seed, an epoch and an index."""
    words = hashlib.blake2b(" ".join(map(str, facts)).encode(), digest_size=8).digest()
    return int.from_bytes(words, "little") >> 1
