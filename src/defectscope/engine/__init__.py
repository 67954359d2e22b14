"""The contract of a detector, and the engine that decodes once and feeds them all."""

from __future__ import annotations

from defectscope.engine.contracts import (
    Analysis,
    Chunk,
    Detector,
    FrameSelection,
    Needs,
    Tuned,
    VideoChunk,
)
from defectscope.engine.engine import cut, decoded_media, is_applicable, measure, segments

__all__ = [
    "Analysis",
    "Chunk",
    "Detector",
    "FrameSelection",
    "Needs",
    "Tuned",
    "VideoChunk",
    "cut",
    "decoded_media",
    "is_applicable",
    "measure",
    "segments",
]
