"""The caption_quality detector."""

from __future__ import annotations

from defectscope.detectors.caption_quality.detector import CaptionQuality

DETECTOR = CaptionQuality

__all__ = ["DETECTOR", "CaptionQuality"]
