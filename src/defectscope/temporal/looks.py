"""A closer look at one frame a second: measures too costly for all frames, and a grade of them.

A grade stands on one scale for every detector: 0 is nothing, 3 is plain to an untrained viewer, 5
is gross. It is absolute: a programme that is bad from end to end has it throughout.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.engine.contracts import FrameSelection, VideoChunk
from defectscope.features.lines import Lines, lines_of
from defectscope.measurements import Table
from defectscope.media.stream import VideoInfo
from defectscope.temporal.padding import between
from defectscope.temporal.tables import TableBuilder, column, times_s
from defectscope.temporal.trees import TreeSum

Floats = NDArray[np.float64]

LOOK_S = 1.0
SELECTION = FrameSelection(bucket_s=LOOK_S, with_previous=True, luma=True)
HIGHEST_GRADE = 5.0
# Looks whose median stands for each: one odd frame decides nothing.
_SETTLE = 3
_FEW = 0.1
# Under which name the frame's lines are kept for the next detector.
_LINES = "lines"


class Looks:
    """Measures the frames looked at.

    Args:
        video: The stream's frame.
        names: What the measures are called.
        measure: Returns them, (names,), from the lines of a frame.
    """

    def __init__(
        self, video: VideoInfo, names: tuple[str, ...], measure: Callable[[Lines], Floats]
    ) -> None:
        self._bit_depth, self._names, self._measure = video.bit_depth, names, measure
        columns = dict.fromkeys(names, np.float32)
        self._table = TableBuilder(1 / video.time_base, pts=np.int64, **columns)

    def push(self, video: VideoChunk) -> None:
        """Takes the frames that a chunk brings for a look."""
        for frame in video.rgb_frames:
            if frame.luma is None:
                continue
            if _LINES not in frame.memo:
                frame.memo[_LINES] = lines_of(frame.luma, self._bit_depth, frame.luma_before)
            measures = self._measure(frame.memo[_LINES])
            values = {name: [value] for name, value in zip(self._names, measures, strict=True)}
            self._table.add(pts=[frame.pts], **values)

    def take(self) -> Table:
        """Returns the rows that are final, and forgets them."""
        return self._table.take()

    def close(self) -> Table:
        """Returns the measures by look."""
        return self._table.table()


def grades(table: Table, trees: TreeSum, names: tuple[str, ...]) -> Floats:
    """Returns (looks,) the settled grade of each look, 0 to 5."""
    return settled(single_grades(table, trees, names))


def single_grades(table: Table, trees: TreeSum, names: tuple[str, ...]) -> Floats:
    """Returns (looks,) the grade of each look by itself, on no bounded scale."""
    if not len(table):
        return np.zeros(0)
    rows = np.stack([column(table, name).astype(np.float64) for name in names], axis=1)
    return trees(rows)


def settled(raw: Floats) -> Floats:
    """Returns (looks,) grades within the scale, the median of three standing for each."""
    bounded = np.clip(raw, 0.0, HIGHEST_GRADE)
    if len(bounded) < 2:
        return bounded
    # At the ends the lower of two counts.
    return np.asarray(ndimage.median_filter(bounded, _SETTLE, mode="constant", cval=0.0))


def lasting(grade: Floats, margin: float) -> Floats:
    """Returns (looks,) grades of which one that stands alone is worth less by a margin.

    What is wrong for a second may be a turn of the head. A grade far above what counts keeps
    enough; programmes of fewer than three looks are taken as they are.

    Args:
        grade: (looks,) settled grades.
        margin: What a lone grade is lowered by, at most to the higher of its neighbours.
    """
    if len(grade) < _SETTLE:
        return grade
    padded = between(grade, 1, -np.inf)
    neighbours = np.maximum(padded[:-2], padded[2:])
    return np.minimum(grade, np.maximum(neighbours, grade - margin))


def throughout(grade: Floats) -> float:
    """Returns the grade that nine looks of ten reach, 0 where there is none.

    A passage may be soft by intent, and one frame by chance. What a programme shows from end to
    end needs less in each look.

    Args:
        grade: (looks,) grades of each look by itself.
    """
    if not len(grade):
        return 0.0
    bounded = np.clip(grade, 0.0, HIGHEST_GRADE)
    return float(np.quantile(bounded, _FEW, method="lower"))


def grade_at(table: Table, grade: Floats, instants_s: Floats) -> Floats:
    """Returns (n,) the grade at some instants: that of the latest look; 0 where there is none."""
    if not len(grade):
        return np.zeros(len(instants_s))
    at = np.searchsorted(times_s(table), instants_s + 1e-9, side="right") - 1
    return grade[np.clip(at, 0, len(grade) - 1)]
