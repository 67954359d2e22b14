"""The compression_blockiness detector."""

from __future__ import annotations

from defectscope.detectors.compression_blockiness.detector import CompressionBlockiness

DETECTOR = CompressionBlockiness

__all__ = ["DETECTOR", "CompressionBlockiness"]
