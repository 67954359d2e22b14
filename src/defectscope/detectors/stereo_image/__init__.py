"""The stereo_image detector."""

from __future__ import annotations

from defectscope.detectors.stereo_image.detector import StereoImage

DETECTOR = StereoImage

__all__ = ["DETECTOR", "StereoImage"]
