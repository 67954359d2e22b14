"""The flicker detector."""

from __future__ import annotations

from defectscope.detectors.flicker.detector import Flicker

DETECTOR = Flicker

__all__ = ["DETECTOR", "Flicker"]
