"""Evaluates frames that are in memory: no encoder between a defect and its detector."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from defectscope.detectors import load
from defectscope.engine.contracts import Chunk, VideoChunk
from defectscope.features import PlaneGeometry, open_extractor
from defectscope.features.extractor import Batch
from defectscope.findings import DetectorResult
from defectscope.media.frames import Frame
from defectscope.media.stream import StreamInfo

AnalyzeFrames = Callable[[str, Iterable[Frame], StreamInfo], DetectorResult]


@pytest.fixture(scope="session")
def analyze_frames() -> AnalyzeFrames:
    def decide(name: str, frames: Iterable[Frame], stream: StreamInfo) -> DetectorResult:
        detector = load(name)
        video = stream.video
        assert video is not None
        geometry = PlaneGeometry(
            video.width, video.height, video.chroma_width, video.chroma_height, video.bit_depth
        )
        taken = list(frames)
        batch = Batch(open_extractor(geometry, detector.needs.features), len(taken))
        for frame in taken:
            batch.add(frame.planes)
        analysis = detector.open(stream)
        analysis.push(
            Chunk(
                video=VideoChunk(
                    pts=np.array([f.pts for f in taken], np.int64),
                    duration=np.array([f.duration for f in taken], np.int64),
                    corrupt=np.array([f.corrupt for f in taken]),
                    interlaced=np.array([f.flagged_interlaced for f in taken]),
                    features=batch.features(),
                )
            )
        )
        return detector.decide(analysis.close(), stream)

    return decide
