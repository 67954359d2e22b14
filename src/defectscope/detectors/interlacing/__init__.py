"""The interlacing detector."""

from __future__ import annotations

from defectscope.detectors.interlacing.detector import Interlacing

DETECTOR = Interlacing

__all__ = ["DETECTOR", "Interlacing"]
