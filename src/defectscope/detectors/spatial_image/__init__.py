"""The spatial_image detector."""

from __future__ import annotations

from defectscope.detectors.spatial_image.detector import SpatialImage

DETECTOR = SpatialImage

__all__ = ["DETECTOR", "SpatialImage"]
