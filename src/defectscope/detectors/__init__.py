"""The detectors, and `analyze`, which judges an asset with them."""

from __future__ import annotations

from defectscope.detectors.judging import analyze, merge
from defectscope.detectors.registry import detector_class, load, load_all, names, not_installed

__all__ = ["analyze", "detector_class", "load", "load_all", "merge", "names", "not_installed"]
