"""The blur detector."""

from __future__ import annotations

from defectscope.detectors.blur.detector import Blur

DETECTOR = Blur

__all__ = ["DETECTOR", "Blur"]
