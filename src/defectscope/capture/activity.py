"""What moves where in a capture: the kernel's tiles of every captured frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from defectscope.features.geometry import PlaneGeometry, tile_samples
from defectscope.features.kernel import WasmExtractor
from defectscope.media.main_tracks import main_frames
from defectscope.media.reader import Reader

Tiles = NDArray[np.float32]


@dataclass(frozen=True)
class Activity:
    """The captured frames of a session.

    Attributes:
        times_s: (captures,) when each was made, seconds from the first.
        change: (captures, 96) mean absolute change of each tile from the capture before, codes.
        luma: (captures, 96) mean luma of each tile, codes.
    """

    times_s: NDArray[np.float64]
    change: Tiles
    luma: Tiles

    @property
    def instants_s(self) -> NDArray[np.float64]:
        """(captures,) when what each shows came up: midway between it and the one before.

        Nothing more exact is known; the capture's own time would be late by half an interval.
        """
        return np.concatenate([self.times_s[:1], (self.times_s[1:] + self.times_s[:-1]) / 2])


def read_activity(
    reader: Reader,
    times_s: list[float],
    *,
    progress: Callable[[float], None] | None = None,
) -> Activity:
    """Measures every frame of a capture.

    Args:
        reader: The capture, with video.
        times_s: When each was made; the file's own times are used where their numbers differ.
        progress: Called with the time reached, seconds.

    Raises:
        MediaError: It cannot be decoded.
    """
    video = reader.info.video
    assert video is not None
    geometry = PlaneGeometry(video.width, video.height, 0, 0, video.bit_depth)
    extractor = WasmExtractor(geometry, ["tile_luma", "tile_sad"])
    scale = float(1 << (video.bit_depth - 8))
    samples = np.maximum(tile_samples(video.width, video.height, every=True), 1).reshape(-1) * scale
    change: list[Tiles] = []
    luma: list[Tiles] = []
    own_s: list[float] = []
    for frame in main_frames(reader):
        found = extractor.measure(frame.planes[:1])
        change.append((np.asarray(found["tile_sad"]).reshape(-1) / samples).astype(np.float32))
        luma.append((np.asarray(found["tile_luma"]).reshape(-1) / samples).astype(np.float32))
        own_s.append(float(frame.pts * video.time_base))
        if progress is not None:
            progress(own_s[-1])
    tiles = len(samples)
    return Activity(
        np.asarray(times_s if len(times_s) == len(own_s) else own_s, np.float64),
        np.stack(change) if change else np.zeros((0, tiles), np.float32),
        np.stack(luma) if luma else np.zeros((0, tiles), np.float32),
    )
