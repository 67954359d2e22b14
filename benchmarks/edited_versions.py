"""Versions of a title with a known truth: what editors, encoders and packagers do to one.

An edit says which frame of the baseline each frame of the candidate shows (-1 for none), what is
done to the frame, and how the candidate is encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from defectscope.media.encoding import VideoEncoding
from defectscope.media.frames import Frame, Plane
from defectscope.media.writer import Writer

Planes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
Look = Callable[[Planes], Planes]


@dataclass(frozen=True)
class Version:
    """How a candidate is made of its baseline, and what an alignment must say of it.

    Attributes:
        name: What was done.
        order: Frame of the baseline for each frame of the candidate; -1 is a grey slate.
        dropped: Frames of the baseline that are missing.
        doubled: Frames of the baseline that are shown once more.
        edits: Kind and frames of each longer difference.
        look: What is done to a frame.
        rate: Frame rate of the candidate as a multiple of the baseline's.
        encoding: Changes of the encoding.
        conversion: Whether the rate is reached by repeating or leaving out frames.
    """

    name: str
    order: tuple[int, ...]
    dropped: tuple[int, ...] = ()
    doubled: tuple[int, ...] = ()
    edits: tuple[tuple[str, int], ...] = ()
    look: Look = lambda planes: planes
    rate: Fraction = Fraction(1)
    encoding: tuple[tuple[str, object], ...] = (("crf", 23.0),)
    conversion: bool = False

    @property
    def offset_frames(self) -> int:
        """Frames before the first shared one, the candidate's less the baseline's."""
        at = next(k for k, frame in enumerate(self.order) if frame >= 0)
        return at - self.order[at]


def versions_of(frames: int) -> list[Version]:
    """Returns the versions that a baseline of this many frames (200 or more) is tried with."""
    whole = tuple(range(frames))
    drops = tuple(int(frames * share) for share in (0.15, 0.31, 0.52, 0.68, 0.9))
    repeats = tuple(int(frames * share) for share in (0.22, 0.45, 0.77))
    jumpy = _without(_repeated(whole, repeats), drops)
    burst = tuple(range(frames // 2, frames // 2 + 3))
    hole = range(frames // 3, frames // 3 + 60)
    late = frames // 2
    mixed = (-1,) * 24 + _without(whole[7:], drops)
    return [
        Version("the same file, encoded again", whole),
        Version("encoded at CRF 38", whole, encoding=(("crf", 38.0),)),
        Version(
            "MPEG-2 at a low rate",
            whole,
            encoding=(("codec", "mpeg2video"), ("bit_rate", 900_000), ("crf", None)),
        ),
        Version("begins 37 frames later", whole[37:]),
        Version("ends 45 frames earlier (credits)", whole[:-45]),
        Version("50 frames of slate before", (-1,) * 50 + whole),
        Version("5 frames dropped, 3 doubled", jumpy, drops, repeats),
        Version("3 frames dropped in a row", _without(whole, burst), burst),
        Version("one frame dropped", _without(whole, drops[2:3]), drops[2:3]),
        Version("one frame doubled", _repeated(whole, repeats[:1]), (), repeats[:1]),
        Version("half the size", whole, look=lambda p: _resized(p, 0.5)),
        Version(
            "cropped by 4 % with gamma 1.1", whole, look=lambda p: _gamma(_cropped(p, 0.04), 1.1)
        ),
        Version(
            "cropped, gamma, 5 dropped and 3 doubled",
            jumpy,
            drops,
            repeats,
            look=lambda p: _gamma(_cropped(p, 0.04), 1.1),
        ),
        Version("letterboxed to 2.39", whole, look=_letterboxed),
        Version(
            "letterboxed, one frame dropped",
            _without(whole, drops[3:4]),
            drops[3:4],
            look=_letterboxed,
        ),
        Version(
            "brighter by 12 codes, contrast 0.8",
            whole,
            look=lambda p: (_clip(p[0] * 0.8 + 24), p[1], p[2]),
        ),
        Version("a logo in the corner", whole, look=_logo),
        Version("played 4 % faster", whole, rate=Fraction(25, 24)),
        Version(
            "each frame shown twice at twice the rate",
            tuple(np.repeat(whole, 2).tolist()),
            rate=Fraction(2),
            conversion=True,
        ),
        Version(
            "every second frame at half the rate", whole[::2], rate=Fraction(1, 2), conversion=True
        ),
        Version(
            "3:2 repeats, 24 to 60",
            tuple(np.repeat(whole, ([3, 2] * frames)[:frames]).tolist()),
            rate=Fraction(5, 2),
            conversion=True,
        ),
        Version("60 frames removed", _without(whole, hole), edits=(("removed", 60),)),
        Version(
            "75 frames of slate put in",
            (*whole[:late], *(-1,) * 75, *whole[late:]),
            edits=(("inserted", 75),),
        ),
        Version(
            "held for 50 frames",
            (*whole[: late + 1], *(late,) * 50, *whole[late + 1 :]),
            edits=(("held", 50),),
        ),
        Version(
            "24 frames of slate, 7 missing, 5 dropped, CRF 34, smaller",
            mixed,
            drops,
            look=lambda p: _resized(p, 0.75),
            encoding=(("crf", 34.0),),
        ),
    ]


def write_version(version: Version, frames: Sequence[Planes], path: Path, rate: Fraction) -> None:
    """Encodes a version.

    Args:
        version: What to make.
        frames: The baseline's frames, 8-bit 4:2:0.
        path: Where to write.
        rate: Frame rate of the baseline.
    """
    slate = tuple(np.full_like(p, 90 if k == 0 else 128) for k, p in enumerate(frames[0]))
    first = version.look(frames[0])
    height, width = first[0].shape
    encoding = VideoEncoding(width, height, rate * version.rate)
    encoding = VideoEncoding(**{**vars_of(encoding), **dict(version.encoding)})
    with Writer(path, video=encoding) as writer:
        for pts, index in enumerate(version.order):
            planes = version.look(slate if index < 0 else frames[index])
            held = tuple(Plane(np.ascontiguousarray(p), p.shape[1], p.shape[0]) for p in planes)
            writer.write_frame(Frame(pts, 1, held, 8))


def vars_of(encoding: VideoEncoding) -> dict[str, object]:
    """Returns the fields of an encoding by name."""
    return {name: getattr(encoding, name) for name in encoding.__dataclass_fields__}


def _without(order: tuple[int, ...], gone: Sequence[int]) -> tuple[int, ...]:
    return tuple(frame for frame in order if frame not in set(gone))


def _repeated(order: tuple[int, ...], again: Sequence[int]) -> tuple[int, ...]:
    return tuple(f for frame in order for f in ((frame, frame) if frame in again else (frame,)))


def _clip(codes: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(codes), 0, 255).astype(np.uint8)


def _sampled(
    plane: NDArray[np.uint8], rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Takes samples at fractional places, bilinearly."""
    r, c = rows.clip(0, plane.shape[0] - 1), columns.clip(0, plane.shape[1] - 1)
    r0, c0 = (
        np.minimum(r.astype(int), plane.shape[0] - 2),
        np.minimum(c.astype(int), plane.shape[1] - 2),
    )
    fr, fc = (r - r0)[:, None], (c - c0)[None, :]
    p = plane.astype(np.float64)
    upper = p[r0][:, c0] * (1 - fc) + p[r0][:, c0 + 1] * fc
    lower = p[r0 + 1][:, c0] * (1 - fc) + p[r0 + 1][:, c0 + 1] * fc
    return _clip(upper * (1 - fr) + lower * fr)


def _resized(planes: Planes, factor: float) -> Planes:
    def size(total: int, unit: int) -> int:
        return max(unit, round(total * factor / unit) * unit)

    height, width = size(planes[0].shape[0], 4), size(planes[0].shape[1], 4)
    made: list[NDArray[np.uint8]] = []
    for k, plane in enumerate(planes):
        h, w = (height, width) if k == 0 else (height // 2, width // 2)
        # A box of neighbours first, or details alias.
        box = round(1 / factor)
        soft = plane.astype(np.float64)
        if box > 1:
            soft = (
                sum(np.roll(soft, (-a, -b), (0, 1)) for a in range(box) for b in range(box))
                / box**2
            )
        rows = (np.arange(h) + 0.5) * plane.shape[0] / h - 0.5
        columns = (np.arange(w) + 0.5) * plane.shape[1] / w - 0.5
        made.append(_sampled(_clip(np.asarray(soft)), rows, columns))
    return made[0], made[1], made[2]


def _cropped(planes: Planes, share: float) -> Planes:
    made: list[NDArray[np.uint8]] = []
    for plane in planes:
        h, w = plane.shape
        rows = h * share / 2 + (np.arange(h) + 0.5) * (1 - share) - 0.5
        columns = w * share / 2 + (np.arange(w) + 0.5) * (1 - share) - 0.5
        made.append(_sampled(plane, rows, columns))
    return made[0], made[1], made[2]


def _gamma(planes: Planes, power: float) -> Planes:
    return _clip(255.0 * (planes[0] / 255.0) ** power), planes[1], planes[2]


def _letterboxed(planes: Planes) -> Planes:
    made: list[NDArray[np.uint8]] = []
    for k, plane in enumerate(planes):
        h, w = plane.shape
        inner = int(h * 0.75) // 2 * 2
        rows = (np.arange(inner) + 0.5) * h / inner - 0.5
        out = np.full((h, w), 16 if k == 0 else 128, np.uint8)
        top = (h - inner) // 2
        out[top : top + inner] = _sampled(plane, rows, np.arange(w, dtype=np.float64))
        made.append(out)
    return made[0], made[1], made[2]


def _logo(planes: Planes) -> Planes:
    luma = planes[0].copy()
    h, w = luma.shape
    luma[h // 16 : h // 6, w - w // 6 : w - w // 16] = 210
    return luma, planes[1], planes[2]
