"""The stream_integrity detector."""

from __future__ import annotations

from defectscope.detectors.stream_integrity.detector import StreamIntegrity

DETECTOR = StreamIntegrity

__all__ = ["DETECTOR", "StreamIntegrity"]
