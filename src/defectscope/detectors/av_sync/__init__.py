"""The lip sync detector."""

from __future__ import annotations

from defectscope.detectors.av_sync.detector import AvSync

DETECTOR = AvSync

__all__ = ["DETECTOR", "AvSync"]
