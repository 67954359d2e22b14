"""The banding detector."""

from __future__ import annotations

from defectscope.detectors.banding.detector import Banding

DETECTOR = Banding

__all__ = ["DETECTOR", "Banding"]
