"""The letterbox detector."""

from __future__ import annotations

from defectscope.detectors.letterbox.detector import Letterbox

DETECTOR = Letterbox

__all__ = ["DETECTOR", "Letterbox"]
