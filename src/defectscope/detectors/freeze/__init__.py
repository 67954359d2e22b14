"""The freeze detector."""

from __future__ import annotations

from defectscope.detectors.freeze.detector import Freeze

DETECTOR = Freeze

__all__ = ["DETECTOR", "Freeze"]
