"""The video_noise detector."""

from __future__ import annotations

from defectscope.detectors.video_noise.detector import VideoNoise

DETECTOR = VideoNoise

__all__ = ["DETECTOR", "VideoNoise"]
