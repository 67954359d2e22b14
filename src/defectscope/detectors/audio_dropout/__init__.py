"""The audio_dropout detector."""

from __future__ import annotations

from defectscope.detectors.audio_dropout.detector import AudioDropout

DETECTOR = AudioDropout

__all__ = ["DETECTOR", "AudioDropout"]
