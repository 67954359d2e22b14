"""Measures, frame by frame, how the light changed over the whole and over how large an area."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.flicker.luminance import levels, redness, screen_cd_m2
from defectscope.engine.contracts import Chunk
from defectscope.features.geometry import TILE_COLUMNS, TILE_ROWS, tile_samples
from defectscope.measurements import Measurements
from defectscope.media.stream import StreamInfo
from defectscope.temporal.tables import TableBuilder, saturate

TILES = TILE_ROWS * TILE_COLUMNS
# Natural logarithms of gains are kept in 1/4096: 0.02 %.
STEPS_PER_GAIN = 4096
# A change belongs to a flash when it is made within the shortest harmful flash's time: more than
# three a second is less than a third of a second for each.
_CHANGE_S = 1 / 3
# Below this level, 2 % of the signal, a tile is too dark for its ratio to mean anything.
_FLOOR = 0.02


class FlickerAnalysis:
    """Measures gain, its spread over the frame, and the areas that brighten and darken."""

    def __init__(
        self,
        stream: StreamInfo,
        *,
        white_cd_m2: float,
        flash_cd_m2: float,
        dark_cd_m2: float,
        red_change: float,
    ) -> None:
        video = stream.video
        assert video is not None
        self._video = video
        self._white_cd_m2, self._flash_cd_m2 = white_cd_m2, flash_cd_m2
        self._dark_cd_m2, self._red_change = dark_cd_m2, red_change
        scale = float(1 << (video.bit_depth - 8))
        luma = tile_samples(video.width, video.height, every=True).ravel()
        self._luma_scale = scale * np.maximum(luma, 1)
        self._colour = video.chroma_width > 0
        chroma = tile_samples(video.chroma_width, video.chroma_height).ravel()
        self._chroma_scale = scale * np.maximum(chroma, 1)
        # Tiles of a frame too small to fill all of them have no samples: they never change.
        self._has_chroma = chroma > 0
        self._memory = max(1, round(_CHANGE_S * float(video.frame_rate)))
        self._past: NDArray[np.float64] | None = None
        self._table = TableBuilder(
            1 / video.time_base,
            pts=np.int64,
            gain=np.int16,
            spread=np.uint16,
            general_up=np.uint8,
            general_down=np.uint8,
            red_up=np.uint8,
            red_down=np.uint8,
        )

    def push(self, chunk: Chunk) -> None:
        """Takes the next frames."""
        video = chunk.video
        if video is None or not len(video.pts):
            return
        count = len(video.pts)
        luma = video.features["tile_luma"].reshape(count, TILES) / self._luma_scale
        light = screen_cd_m2(luma, self._video, self._white_cd_m2)
        red = np.zeros_like(luma)
        if self._colour:
            u = video.features["tile_u"].reshape(count, TILES) / self._chroma_scale
            v = video.features["tile_v"].reshape(count, TILES) / self._chroma_scale
            red = redness(luma, u, v, self._video) * self._has_chroma
        # (frames, kind, tiles), what is remembered before what is new
        now = np.stack([np.log(levels(luma, self._video) + _FLOOR), light, red], axis=1)
        past = now[:1].repeat(self._memory, axis=0) if self._past is None else self._past
        both = np.concatenate([past, now])
        self._past = both[-self._memory :]
        lowest, highest = self._extremes(both[:, 1:], count)
        change = np.diff(both[-count - 1 :, 0], axis=0)
        gain = np.median(change, axis=1)
        spread = np.median(np.abs(change - gain[:, None]), axis=1)
        values = both[-count:, 1:]
        up, down = values - lowest, highest - values
        dark = self._dark_cd_m2
        self._table.add(
            pts=video.pts,
            gain=saturate(gain * STEPS_PER_GAIN, np.int16),
            spread=saturate(spread * STEPS_PER_GAIN, np.uint16),
            general_up=_tiles((up[:, 0] >= self._flash_cd_m2) & (lowest[:, 0] < dark)),
            general_down=_tiles((down[:, 0] >= self._flash_cd_m2) & (values[:, 0] < dark)),
            red_up=_tiles(up[:, 1] >= self._red_change),
            red_down=_tiles(down[:, 1] >= self._red_change),
        )

    def _extremes(
        self, values: NDArray[np.float64], count: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest of each value's memory, itself included."""
        lowest, highest = values[-count:].copy(), values[-count:].copy()
        for back in range(1, self._memory + 1):
            earlier = values[len(values) - count - back : len(values) - back]
            np.minimum(lowest, earlier, out=lowest)
            np.maximum(highest, earlier, out=highest)
        return lowest, highest

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them."""
        return Measurements("flicker", {"frames": self._table.take()})

    def close(self) -> Measurements:
        """Returns gains and areas."""
        return Measurements("flicker", {"frames": self._table.table()})


def _tiles(flags: NDArray[np.bool_]) -> NDArray[Any]:
    return flags.sum(axis=1).astype(np.uint8)
