"""Waivers: findings that somebody accepted, with the reason and until when."""

from __future__ import annotations

from defectscope.waivers.applying import apply_waivers, covers, without_waivers
from defectscope.waivers.editing import add_entry, entry_for, remove_entry
from defectscope.waivers.files import Waiver, Waivers, load_waivers, waivers_toml

__all__ = [
    "Waiver",
    "Waivers",
    "add_entry",
    "apply_waivers",
    "covers",
    "entry_for",
    "load_waivers",
    "remove_entry",
    "waivers_toml",
    "without_waivers",
]
