"""Hum, hiss, distortion and clicks, heard without a reference."""

from __future__ import annotations

from defectscope.detectors.audio_artifacts.detector import AudioArtifacts

DETECTOR = AudioArtifacts

__all__ = ["DETECTOR", "AudioArtifacts"]
