"""What players send: checked, kept, grouped, and joined with what the masters' reports say."""

from __future__ import annotations

from defectscope.player.collector import Collector, Outcome
from defectscope.player.groups import Group, Seen, group, join
from defectscope.player.payload import MAX_BYTES, SCHEMA, Batch, parse

__all__ = [
    "MAX_BYTES",
    "SCHEMA",
    "Batch",
    "Collector",
    "Group",
    "Outcome",
    "Seen",
    "group",
    "join",
    "parse",
]
