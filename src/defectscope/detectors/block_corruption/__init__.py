"""The block corruption detector."""

from __future__ import annotations

from defectscope.detectors.block_corruption.detector import BlockCorruption

DETECTOR = BlockCorruption

__all__ = ["DETECTOR", "BlockCorruption"]
