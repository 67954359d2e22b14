"""The loudness detector."""

from __future__ import annotations

from defectscope.detectors.loudness.detector import Loudness

DETECTOR = Loudness

__all__ = ["DETECTOR", "Loudness"]
