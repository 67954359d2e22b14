"""The stutter detector."""

from __future__ import annotations

from defectscope.detectors.stutter.detector import Stutter

DETECTOR = Stutter

__all__ = ["DETECTOR", "Stutter"]
