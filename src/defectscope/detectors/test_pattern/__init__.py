"""The test pattern detector."""

from __future__ import annotations

from defectscope.detectors.test_pattern.detector import TestPattern

DETECTOR = TestPattern

__all__ = ["DETECTOR", "TestPattern"]
