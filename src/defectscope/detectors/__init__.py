"""The detectors, each in a folder of its own, found by name."""

from __future__ import annotations

from defectscope.detectors.registry import detector_class, load, load_all, names, not_installed

__all__ = ["detector_class", "load", "load_all", "names", "not_installed"]
