"""The black_frames detector."""

from __future__ import annotations

from defectscope.detectors.black_frames.detector import BlackFrames

DETECTOR = BlackFrames

__all__ = ["DETECTOR", "BlackFrames"]
