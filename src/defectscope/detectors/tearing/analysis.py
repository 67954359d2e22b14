"""Measures, picture by picture, the clearest seam that appears and the clearest that vanishes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.detection.contracts import Chunk
from defectscope.detection.tables import TableBuilder, saturate
from defectscope.detectors.tearing.seams import Seams, log_changes, new_seams, passing_seams
from defectscope.features.geometry import sampled_columns
from defectscope.findings import Measurements
from defectscope.media.stream import StreamInfo

STEPS_PER_CODE = 64
STEPS_PER_CLEAR = 8
STEPS_PER_CONTRAST = 32
STEPS_PER_JOINT = 256
SIDES = ("on", "off")


class TearingAnalysis:
    """Compares the steps between rows of each picture with those of the one before."""

    def __init__(self, stream: StreamInfo) -> None:
        video = stream.video
        assert video is not None
        scale = float(1 << (video.bit_depth - 8))
        self._step_samples = scale * max(len(sampled_columns(video.width)), 1)
        self._change_samples = scale * video.width
        # The last two pictures' steps and logarithms of change, and a third one's changes: all that
        # is remembered. A picture is measured when the next one has come.
        self._steps = np.empty((0, video.height))
        self._changes = np.empty((0, video.height))
        self._pts = np.empty(0, np.int64)
        columns = {
            f"{side}_{name}": kind
            for side in SIDES
            for name, kind in (
                ("row", np.uint16),
                ("step", np.uint16),
                ("clear", np.uint8),
                ("contrast", np.int8),
            )
        }
        columns |= {
            "row": np.uint16,
            "joint": np.uint16,
            "clear": np.uint8,
            "contrast": np.uint8,
        }
        self._table = TableBuilder(1 / video.time_base, pts=np.int64, **columns)

    def push(self, chunk: Chunk) -> None:
        """Takes the next frames."""
        video = chunk.video
        if video is None or not len(video.pts):
            return
        steps = video.features["row_step"] / self._step_samples
        changes = log_changes(video.features["row_sad"], self._change_samples)
        if not len(self._steps):
            # Before the first picture there were others like it.
            self._steps, self._changes = steps[:1], np.repeat(changes[:1], 2, axis=0)
        self._add(steps, changes, video.pts)

    def _add(
        self, steps: NDArray[np.float64], changes: NDArray[np.float64], pts: NDArray[np.int64]
    ) -> None:
        steps = np.concatenate([self._steps, steps])
        changes = np.concatenate([self._changes, changes])
        ready = np.concatenate([self._pts, pts])
        self._steps, self._changes, self._pts = steps[-2:], changes[-3:], ready[-1:]
        ready = ready[:-1]
        if not len(ready):
            return
        now, before = steps[1:-1], steps[:-2]
        faster = changes[2:-1] - changes[1:-2]
        passing = passing_seams(steps, changes)
        self._table.add(
            pts=ready,
            **_columns("on", new_seams(now, before, faster)),
            **_columns("off", new_seams(before, now, faster)),
            row=saturate(passing.row, np.uint16),
            joint=saturate(passing.joint * STEPS_PER_JOINT, np.uint16),
            clear=saturate(passing.clear * STEPS_PER_CLEAR, np.uint8),
            contrast=saturate(passing.contrast * STEPS_PER_CONTRAST, np.uint8),
        )

    def close(self) -> Measurements:
        """Gives the seams."""
        if len(self._pts):
            # After the last picture come others like it.
            self._add(self._steps[-1:], self._changes[-1:], self._pts + 1)
            self._pts = self._pts[:0]
        return Measurements("tearing", {"frames": self._table.table()})


def _columns(side: str, seams: Seams) -> dict[str, NDArray[np.generic]]:
    return {
        f"{side}_row": saturate(seams.row, np.uint16),
        f"{side}_step": saturate(np.maximum(seams.step, 0) * STEPS_PER_CODE, np.uint16),
        f"{side}_clear": saturate(np.maximum(seams.clear, 0) * STEPS_PER_CLEAR, np.uint8),
        f"{side}_contrast": saturate(seams.contrast * STEPS_PER_CONTRAST, np.int8),
    }
