"""Waivers: findings that somebody accepted, with the reason and until when."""

from __future__ import annotations

from defectscope.waivers.applying import apply_waivers
from defectscope.waivers.comparing import Redelivery, compare_deliveries
from defectscope.waivers.files import Waiver, Waivers, load_waivers, waivers_toml

__all__ = [
    "Redelivery",
    "Waiver",
    "Waivers",
    "apply_waivers",
    "compare_deliveries",
    "load_waivers",
    "waivers_toml",
]
