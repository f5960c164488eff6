"""How numbers look on the screen."""

from __future__ import annotations

from collections.abc import Mapping


def number(value: float) -> str:
    """Four decimals; three significant digits where these would show nothing of it."""
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e6 else f"{value:.3g}"


def listed(metrics: Mapping[str, float]) -> str:
    """Several in a row: `loss 0.0805, accuracy 0.9778`."""
    return ", ".join(f"{name} {number(value)}" for name, value in metrics.items())
