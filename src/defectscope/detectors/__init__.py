"""The detectors, each in a folder of its own or in another package, found by name."""

from __future__ import annotations

from defectscope.detectors.registry import (
    detector_class,
    load,
    load_all,
    names,
    not_installed,
    rediscover,
    unfit_plugins,
)

__all__ = [
    "detector_class",
    "load",
    "load_all",
    "names",
    "not_installed",
    "rediscover",
    "unfit_plugins",
]
