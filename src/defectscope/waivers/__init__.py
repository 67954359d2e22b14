"""Waivers: findings that somebody accepted, with the reason and until when."""

from __future__ import annotations

from defectscope.waivers.applying import apply_waivers
from defectscope.waivers.comparing import Comparison, compare
from defectscope.waivers.files import Waiver, Waivers, load_waivers, waivers_toml

__all__ = [
    "Comparison",
    "Waiver",
    "Waivers",
    "apply_waivers",
    "compare",
    "load_waivers",
    "waivers_toml",
]
