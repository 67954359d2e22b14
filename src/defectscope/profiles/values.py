"""How values stand in limits and measurements."""

from __future__ import annotations

from typing import Any


def format_value(value: Any) -> str:
    """Returns a value as a reader writes it: yes and no, numbers without needless digits."""
    if value is None:
        return "not stated"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 10_000 else f"{value:.0f}"
    return str(value)
