"""Follows every face of a fragment from frame to frame.

Faces are looked for in every fifth frame and linked by overlap; in between their places are
interpolated and the mesh is laid on every frame. Where none was found, the next search waits three
times as long. Only a few numbers and a small piece of luma around the mouth are kept of each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.av_sync.faces import Eyes, Face, overlap
from defectscope.detectors.av_sync.warp import Patch, luma
from defectscope.media.frames import Rendering

Floats = NDArray[np.float64]

# Points of the mesh that are kept. Source: the canonical face model of MediaPipe's face mesh.
OUTER_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375,
              291, 409, 270, 269, 267, 0, 37, 39, 40, 185)  # fmt: skip
INNER_LIPS = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324,
              308, 415, 310, 311, 312, 13, 82, 81, 80, 191)  # fmt: skip
# Outer and inner corner of the eye further left in the frame, then of the other.
EYE_CORNERS = (33, 133, 362, 263)
NOSE_AND_CHIN = (1, 168, 152)
KEPT = (*OUTER_LIPS, *INNER_LIPS, *EYE_CORNERS, *NOSE_AND_CHIN)
LIPS = len(OUTER_LIPS) + len(INNER_LIPS)
CORNERS = (KEPT.index(61), KEPT.index(291))

# Frames from one search for faces to the next: 0.2 s at 25 fps.
SEARCH_EVERY = 5
# Likewise where no face is followed: 0.6 s at 25 fps. A face that appears is met 0.2 s later on
# average, of the four seconds of a fragment; most programmes show none for minutes.
SEARCH_EVERY_WITHOUT = 15
# Two faces are one when their boxes overlap this much from one search to the next.
_SAME = 0.3
_MIN_PRESENCE = 0.5
# The piece of luma that is kept, in widths of the mouth crop, and its longest side.
_PIECE = 2.0
_PIECE_PX = 160


@dataclass(frozen=True, slots=True)
class Limits:
    """What faces are followed.

    Attributes:
        min_score: Less sure ones are left out, 0 to 1.
        min_height_px: Smaller ones are left out.
        most: Faces followed at the same time, the largest first.
    """

    min_score: float
    min_height_px: float
    most: int


@dataclass(frozen=True, slots=True)
class Sight:
    """A face in one frame of its track.

    Attributes:
        time_s: When the frame is presented.
        box: (4,) left, top, right, bottom as shares of the frame.
        points: (len(KEPT), 2) landmarks in pixels.
        piece: Luma around the mouth.
        left_px: Where the piece begins.
        top_px: Where the piece begins.
        shrink: Pixels of the frame per pixel of the piece.
    """

    time_s: float
    box: Floats
    points: Floats
    piece: NDArray[np.uint8]
    left_px: int
    top_px: int
    shrink: int


@dataclass(slots=True)
class Track:
    """One face over consecutive frames."""

    sights: list[Sight] = field(default_factory=list[Sight])

    @property
    def times_s(self) -> Floats:
        """(n,) when its frames are presented."""
        return np.array([s.time_s for s in self.sights])

    @property
    def points(self) -> Floats:
        """(n, len(KEPT), 2) landmarks in pixels."""
        return np.stack([s.points for s in self.sights])


@dataclass(slots=True)
class _Followed:
    """A track that is still growing."""

    track: Track
    face: Face
    latest: Face | None
    alive: bool = True


class Tracker:
    """Takes the frames of one fragment and gives its tracks.

    Args:
        eyes: The stream's models.
        limits: What faces are followed.
    """

    def __init__(self, eyes: Eyes, limits: Limits) -> None:
        self._eyes = eyes
        self._limits = limits
        self._held: list[tuple[float, Rendering]] = []
        self._growing: list[_Followed] = []
        self._done: list[Track] = []
        # Frames since the last search; none before the fragment's first.
        self._waited: int | None = None

    def push(self, time_s: float, frame: Rendering) -> None:
        """Takes the next frame; it is looked at only where a face is near."""
        if not self._growing:
            # Nobody is followed through the frames before a search.
            self._held.clear()
        self._held.append((time_s, frame))
        every = SEARCH_EVERY if self._growing else SEARCH_EVERY_WITHOUT
        if self._waited is None or self._waited + 1 >= every:
            self._search()
        else:
            self._waited += 1

    def finish(self) -> list[Track]:
        """Returns the tracks of the fragment, in order of their first frame."""
        if self._held and self._growing:
            self._search()
        self._held.clear()
        self._done += [f.track for f in self._growing]
        self._growing, self._waited = [], None
        done, self._done = [t for t in self._done if t.sights], []
        return sorted(done, key=lambda t: (t.sights[0].time_s, -float(t.sights[0].box[3])))

    def _search(self) -> None:
        """Looks for faces in the last held frame and follows them through those before it."""
        _, last = self._held[-1]
        found = self._eyes.faces(
            last.rgb, min_score=self._limits.min_score, min_height_px=self._limits.min_height_px
        )
        self._link(found)
        count = len(self._held)
        for position, (at_s, frame) in enumerate(self._held):
            share = (position + 1) / count
            for followed in self._growing:
                if followed.track.sights or position == count - 1:
                    self._look(followed, at_s, frame.rgb, share)
        for followed in self._growing:
            if followed.latest is not None:
                followed.face = followed.latest
        self._done += [f.track for f in self._growing if not f.alive]
        self._growing = [f for f in self._growing if f.alive]
        self._held.clear()
        self._waited = 0

    def _link(self, found: list[Face]) -> None:
        """Returns every growing track the found face that it overlaps most; the rest begin anew."""
        free = list(range(len(found)))
        pairs = sorted(
            (
                (overlap(f.face.box, face.box), i, j)
                for i, f in enumerate(self._growing)
                for j, face in enumerate(found)
            ),
            key=lambda p: (-p[0], p[1], p[2]),
        )
        taken: set[int] = set()
        for followed in self._growing:
            followed.latest = None
        for shared, i, j in pairs:
            if shared >= _SAME and i not in taken and j in free:
                self._growing[i].latest = found[j]
                taken.add(i)
                free.remove(j)
        room = max(0, self._limits.most - len(self._growing))
        for j in free[:room]:
            self._growing.append(_Followed(Track(), found[j], found[j]))

    def _look(
        self, followed: _Followed, time_s: float, rgb: NDArray[np.uint8], share: float
    ) -> None:
        """Lays the mesh on a face of one frame."""
        if not followed.alive:
            return
        face = followed.face if followed.latest is None else _between(followed, share)
        mesh, presence = self._eyes.mesh(rgb, face.patch())
        if presence < _MIN_PRESENCE:
            # A face that neither model sees any more has gone.
            followed.alive = followed.latest is not None
            return
        if followed.latest is None:
            followed.face = _face_of(mesh, face)
        height, width = rgb.shape[:2]
        points = mesh[list(KEPT)]
        left, top = mesh.min(axis=0) / (width, height)
        right, bottom = mesh.max(axis=0) / (width, height)
        box = np.clip(np.array([left, top, right, bottom]), 0.0, 1.0)
        followed.track.sights.append(Sight(time_s, box, points, *_piece(rgb, points)))


def _between(followed: _Followed, share: float) -> Face:
    """Returns a face's place between two searches."""
    before, after = followed.face, followed.latest
    assert after is not None
    return Face(
        before.box + share * (after.box - before.box),
        before.eyes + share * (after.eyes - before.eyes),
        after.score,
    )


def _face_of(mesh: Floats, like: Face) -> Face:
    """Returns the box and eyes of a face that only the mesh still sees."""
    eyes = np.stack([mesh[[33, 133]].mean(axis=0), mesh[[362, 263]].mean(axis=0)])
    middle = (mesh.min(axis=0) + mesh.max(axis=0)) / 2
    half = (like.box[2:] - like.box[:2]) / 2
    return Face(np.concatenate([middle - half, middle + half]), eyes, like.score)


def eye_distance_px(points: Floats) -> NDArray[Any]:
    """Returns (...) the distance of the eyes' middles from kept landmarks (..., len(KEPT), 2)."""
    eyes = points[..., LIPS : LIPS + 4, :]
    between = eyes[..., 2:, :].mean(axis=-2) - eyes[..., :2, :].mean(axis=-2)
    return np.hypot(between[..., 0], between[..., 1])


def crop_width_px(points: Floats) -> NDArray[Any]:
    """Returns (...) the width of the mouth crop that a face wants by its landmarks alone.

    1.6 times the mouth's width; of faces seen from the side, whose mouth is foreshortened, at
    least 1.1 times the distance of the eyes.
    """
    across = points[..., CORNERS[1], :] - points[..., CORNERS[0], :]
    mouth = np.hypot(across[..., 0], across[..., 1])
    return np.maximum(1.6 * mouth, 1.1 * eye_distance_px(points))


def _piece(rgb: NDArray[np.uint8], points: Floats) -> tuple[NDArray[np.uint8], int, int, int]:
    """Keeps the luma around a mouth, reduced where it is larger than any crop needs."""
    middle = points[list(CORNERS)].mean(axis=0)
    half = _PIECE * float(crop_width_px(points)) / 2
    height, width = rgb.shape[:2]
    left, top = (int(v) for v in np.floor(middle - half))
    right, bottom = (int(v) for v in np.ceil(middle + half))
    left, top = min(max(left, 0), width - 1), min(max(top, 0), height - 1)
    right, bottom = min(max(right, left + 1), width), min(max(bottom, top + 1), height)
    part = luma(rgb[top:bottom, left:right])
    shrink = max(1, max(part.shape) // _PIECE_PX)
    if shrink > 1:
        rows, columns = (max(shrink, n - n % shrink) for n in part.shape)
        part = part[:rows, :columns]
        if part.shape[0] % shrink or part.shape[1] % shrink:
            shrink = 1
        else:
            blocks = part.reshape(rows // shrink, shrink, columns // shrink, shrink)
            part = np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)
    return np.ascontiguousarray(part), left, top, shrink


def mouth_patch(sight: Sight, x_px: float, y_px: float, width_px: float, angle: float) -> Patch:
    """Returns a place of the frame as a place of the sight's piece of luma."""
    return Patch(
        (x_px - sight.left_px) / sight.shrink,
        (y_px - sight.top_px) / sight.shrink,
        width_px / sight.shrink,
        width_px / sight.shrink,
        angle,
    )
