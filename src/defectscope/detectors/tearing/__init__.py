"""The tearing detector."""

from __future__ import annotations

from defectscope.detectors.tearing.detector import Tearing

DETECTOR = Tearing

__all__ = ["DETECTOR", "Tearing"]
