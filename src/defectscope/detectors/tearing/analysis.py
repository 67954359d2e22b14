"""Measures, frame by frame, the signs of a seam: compact enough to decide on later."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.tearing import seams
from defectscope.detectors.tearing.lags import LagWindow, lagging
from defectscope.detectors.tearing.rolling import ridges
from defectscope.engine.contracts import Chunk
from defectscope.features.geometry import sampled_columns
from defectscope.measurements import Measurements
from defectscope.media.stream import StreamInfo
from defectscope.temporal.differences import Differences
from defectscope.temporal.tables import TableBuilder, saturate

# Names of the measures, and steps of a unit in which each is kept, and as which integer.
KEPT: dict[str, tuple[int, Any]] = {
    "step_row": (1, np.uint16),
    "step": (32, np.uint16),
    "clear": (8, np.uint8),
    "contrast": (32, np.uint8),
    "back_row": (1, np.uint16),
    "back": (32, np.int8),
    "late": (32, np.int8),
    "on_row": (1, np.uint16),
    "on": (32, np.uint8),
    "on_back": (32, np.uint8),
    "off_row": (1, np.uint16),
    "off": (32, np.uint8),
    "light": (200, np.uint8),
    "top_row": (1, np.uint16),
    "bottom_row": (1, np.uint16),
    "lag_row": (1, np.uint16),
    "lag": (1, np.int8),
    "lagging": (32, np.uint8),
    "ridge_row": (1, np.uint16),
    "ridge": (128, np.uint8),
    "ridge_sunk": (1, np.int8),
    "second_row": (1, np.uint16),
    "second": (128, np.uint8),
    "second_sunk": (1, np.int8),
}
# How far back a part may fall, and over how long a lasting step is looked for, in seconds and
# frames.
_BACK_S, _BACK_FRAMES = 0.25, (2, 6)
_LASTING_S, _LASTING_FRAMES = 0.3, (2, 20)
# Motion is compared with the median of so many frames before.
_BASELINE_FRAMES = 3
# Rows that are told apart where no single one must be named.
_COARSE_ROWS = 360
# What is compared lies on both sides of a row; smaller frames count as if their last row went on.
_FEWEST_ROWS = 32


def coarse_group(height: int) -> int:
    """Returns how many rows are taken together where no single one must be named."""
    return max(1, height // _COARSE_ROWS)


class TearingAnalysis:
    """Compares each frame with those before it and those to come, row by row."""

    def __init__(self, stream: StreamInfo) -> None:
        video = stream.video
        assert video is not None
        scale = float(1 << (video.bit_depth - 8))
        rate = float(video.frame_rate)
        self._step_samples = scale * max(len(sampled_columns(video.width)), 1)
        self._samples = scale * video.width
        self._group = coarse_group(video.height)
        self._lags = int(np.clip(round(_BACK_S * rate), *_BACK_FRAMES))
        self._reach = int(np.clip(round(_LASTING_S * rate), *_LASTING_FRAMES))
        self._window = LagWindow.at(rate)
        # Frames remembered before those that are measured next, and that must be there after.
        self._before = max(self._lags + _BASELINE_FRAMES, self._reach, self._window.before)
        self._after = max(self._reach, self._window.after)
        self._lacking = max(0, _FEWEST_ROWS - video.height)
        coarse = (video.height + self._lacking) // self._group
        self._steps = np.empty((0, video.height + self._lacking), np.uint16)
        self._luma = np.empty((0, coarse), np.float32)
        self._changes = np.empty((0, coarse), np.float32)
        self._pts = np.empty(0, np.int64)
        self._apart = np.empty(0, np.uint8)
        self._measured = 0
        self._differences = Differences(video, "apart")
        kinds = {name: kind for name, (_, kind) in KEPT.items()} | self._differences.kinds
        self._table = TableBuilder(1 / video.time_base, pts=np.int64, **kinds)

    def push(self, chunk: Chunk) -> None:
        """Takes the next frames."""
        video = chunk.video
        if video is None or not len(video.pts):
            return
        row_step, row_luma, row_sad = (
            np.pad(video.features[name], ((0, 0), (0, self._lacking)), mode="edge")
            if self._lacking
            else video.features[name]
            for name in ("row_step", "row_luma", "row_sad")
        )
        steps = seams.quantised(row_step, self._step_samples)
        luma = seams.coarse(row_luma, self._group, self._samples)
        changes = seams.log_changes(seams.coarse(row_sad, self._group, self._samples))
        if not len(self._steps):
            # Before the first frame there were others like it.
            self._steps = np.repeat(steps[:1], self._before, axis=0)
            self._luma = np.repeat(luma[:1], self._before, axis=0)
            self._changes = np.repeat(changes[:1], self._before, axis=0)
        apart = self._differences.columns(video.features)["apart"]
        self._apart = np.concatenate([self._apart, apart])
        self._add(steps, luma, changes, video.pts)

    def _add(
        self,
        steps: seams.Steps,
        luma: seams.Values,
        changes: seams.Values,
        pts: NDArray[np.int64],
    ) -> None:
        steps = np.concatenate([self._steps, steps])
        luma = np.concatenate([self._luma, luma])
        changes = np.concatenate([self._changes, changes])
        waiting = np.concatenate([self._pts, pts])
        ready = max(0, len(waiting) - self._after)
        if ready:
            self._measure(steps, luma, changes, waiting[:ready])
        self._steps, self._luma, self._changes = steps[ready:], luma[ready:], changes[ready:]
        self._pts = waiting[ready:]

    def _measure(
        self,
        steps: seams.Steps,
        luma: seams.Values,
        changes: seams.Values,
        pts: NDArray[np.int64],
    ) -> None:
        """Measures frames that have all their neighbours: `before` of them, and `reach`."""
        count, first, reach, most = len(pts), self._before, self._reach, self._lags
        every = np.arange(count)
        passing = seams.passing_steps(steps[first - 1 : first + count + 1])
        # A seam changes the motion when it comes and when it goes.
        faster = np.diff(changes[first - 1 : first + count + 1], axis=0)
        row = passing.row // self._group
        contrast = np.maximum(
            seams.contrast_at(faster[:-1], row), seams.contrast_at(faster[1:], row)
        )
        baseline = _BASELINE_FRAMES
        distances = seams.differences(luma[first - most - baseline : first + count], most)
        back, above, below = seams.parted(seams.returns(distances[:, baseline:]))
        contrast = np.maximum(contrast, np.abs(back[every, np.minimum(row, back.shape[1] - 1)]))
        place = np.argmax(np.abs(back), axis=1)
        falls_below = back[every, place] > 0
        late = np.where(falls_below, below[every, place], above[every, place])
        near = seams.log_distances(distances[0])
        before = seams.median_of_three(*(near[k : k + count] for k in range(baseline)))
        jumped = np.abs(seams.bounded(seams.parted(near[baseline:] - before)[0]))
        excess = seams.lasting(steps[first - reach : first + count + reach])
        begun = seams.onsets(excess, reach)
        gone = -begun
        on_row, on = self._best(begun, np.maximum(seams.bounded(back), 0))
        off_row, off = self._best(gone, jumped)
        on_back = back[every, np.minimum(on_row // self._group, back.shape[1] - 1)]
        window = self._window
        lags = lagging(luma[first - window.before : first + count + window.after], window)
        ridge_rows, heights, sunk = ridges(steps[first - 1 : first + count])
        shift = luma[first - 1 : first + count].mean(axis=1)
        changed = seams.changes_of(changes[first : first + count])
        change = changed.mean(axis=1)
        top, bottom = seams.moving_rows(changed)
        measured = {
            "step_row": passing.row,
            "step": passing.step,
            "clear": passing.clear,
            "contrast": contrast,
            "back_row": place * self._group,
            "back": back[every, place],
            "late": late,
            "on_row": on_row,
            "on": on,
            "on_back": on_back,
            "off_row": off_row,
            "off": off,
            "light": np.abs(np.diff(shift)) / np.maximum(change, np.float32(0.05)),
            "top_row": top * self._group,
            "bottom_row": bottom * self._group,
            "lag_row": lags.row * self._group,
            "lag": lags.lag,
            "lagging": lags.clear,
            "ridge_row": ridge_rows[:, 0],
            "ridge": heights[:, 0],
            "ridge_sunk": sunk[:, 0],
            "second_row": ridge_rows[:, 1],
            "second": heights[:, 1],
            "second_sunk": sunk[:, 1],
        }
        # The first frames of all have nothing to be compared with.
        unknown = max(0, min(count, _BASELINE_FRAMES - self._measured))
        for name in ("step", "back", "on", "off"):
            measured[name][:unknown] = 0
        self._measured += count
        self._table.add(
            pts=pts,
            apart=self._apart[:count],
            **{n: saturate(measured[n] * steps, kind) for n, (steps, kind) in KEPT.items()},
        )
        self._apart = self._apart[count:]

    def _best(
        self, lasting: seams.Values, contrast: seams.Values
    ) -> tuple[NDArray[np.intp], seams.Values]:
        """The row at which a lasting step and a contrast of motion agree best, and how well."""
        count, rows = contrast.shape
        every = np.arange(count)
        used = rows * self._group
        joint = np.zeros((count, rows), np.float32)
        for place in range(self._group):
            np.maximum(joint, lasting[:, place : used : self._group], out=joint)
        joint *= contrast
        best = np.argmax(joint, axis=1)
        near = best[:, None] * self._group + np.arange(self._group)
        within = np.argmax(lasting[every[:, None], near], axis=1)
        return best * self._group + within, joint[every, best]

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them."""
        return Measurements("tearing", {"frames": self._table.take()})

    def close(self) -> Measurements:
        """Returns the signs of seams."""
        if len(self._pts):
            # After the last frame come others like it.
            last = self._after
            self._add(
                np.repeat(self._steps[-1:], last, axis=0),
                np.repeat(self._luma[-1:], last, axis=0),
                np.repeat(self._changes[-1:], last, axis=0),
                np.repeat(self._pts[-1:], last),
            )
            self._pts = self._pts[:0]
        return Measurements("tearing", {"frames": self._table.table()})
