"""The colour error detector."""

from __future__ import annotations

from defectscope.detectors.color_error.detector import ColorError

DETECTOR = ColorError

__all__ = ["DETECTOR", "ColorError"]
