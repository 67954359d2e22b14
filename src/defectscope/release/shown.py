"""What a captured session shows of its title, held against the master: rungs of the ladder, shape.

How fine a capture is cannot be told from itself: a soft scene and a low rung look alike. Beside the
same frames of the master it can. Up to the finest detail of its rung a capture follows the master,
above it does not; where it stops is measured in the spectrum along columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.capture.session import capture_path, read_session
from defectscope.capture.sound_waits import read_levels
from defectscope.compare.matching import align
from defectscope.compare.metrics import shared_crops
from defectscope.compare.signature import ActiveArea, Signatures, read_signatures
from defectscope.findings import Interval
from defectscope.media.full_reference import Crop
from defectscope.media.limits import Limits
from defectscope.media.main_tracks import main_frames
from defectscope.media.opening import open_media
from defectscope.media.pixels import scaled_plane
from defectscope.media.reader import Reader
from defectscope.media.source import MediaLike
from defectscope.release.sound_shown import missing_sound

# Frames of a second that are looked at.
_LOOKS_A_S = 4
# A capture follows the master while this share of the master's amplitude is in it.
_FOLLOWS = 0.5
# At that share lies so much of the finest detail that a rung can hold: scaling down and up again by
# bicubic or bilinear filters takes the rest. Measured on 14 recordings and four rungs.
_REACH = 0.6
# Below this share of the finest detail every rung follows; above it the master must have detail of
# its own, this much of white noise, squared codes.
_COARSEST, _DETAIL_CODE2 = 0.08, 0.25
# Frames whose coarse detail correlates by less were not aligned well enough.
_SAME_PLACE = 0.985
# Bins that are taken together.
_BINS = 15
# Rungs of a ladder differ by more than this.
_SAME_RUNG = 1.22
# Aspect ratios that differ by more than this look wrong. Bars are found to a sample or two.
_SAME_SHAPE = 0.03

Spectrum = NDArray[np.complex64]


@dataclass(frozen=True)
class Rung:
    """A time in which the title was shown as fine as one rung of its ladder.

    Attributes:
        interval: When, seconds of the capture.
        lines: Height of the rung, about 20 % off either way; None where the master itself has too
            little detail to tell.
    """

    interval: Interval
    lines: int | None


@dataclass(frozen=True)
class Shown:
    """A session beside the master of its title.

    Attributes:
        rungs: How fine the title was shown, in order of time.
        aspect: Width by height of the title's active area as it was shown.
        master_aspect: The same of the master.
        frames: Frames of the master that the capture shows.
        missing_sound: Where the capture is silent and the master is not, seconds of the capture;
            None where one of them has no sound.
    """

    rungs: tuple[Rung, ...]
    aspect: float
    master_aspect: float
    frames: int
    missing_sound: tuple[Interval, ...] | None = None

    @property
    def is_distorted(self) -> bool:
        """Whether the title was shown in another shape than its own."""
        return abs(self.aspect / self.master_aspect - 1) > _SAME_SHAPE

    def to_dict(self) -> dict[str, Any]:
        """Returns it as its JSON object."""
        return {
            "frames": self.frames,
            "aspect": round(self.aspect, 3),
            "master_aspect": round(self.master_aspect, 3),
            "distorted": self.is_distorted,
            "rungs": [
                {
                    "start_s": round(rung.interval.start_s, 3),
                    "end_s": round(rung.interval.end_s, 3),
                    "lines": rung.lines,
                }
                for rung in self.rungs
            ],
            "missing_sound": None
            if self.missing_sound is None
            else [[round(m.start_s, 3), round(m.end_s, 3)] for m in self.missing_sound],
        }


def shown_of(
    session: str | Path,
    master: MediaLike,
    *,
    limits: Limits | None = None,
    progress: Callable[[float], None] | None = None,
) -> Shown:
    """Returns how a session shows its title.

    Args:
        session: The session file; its capture lies beside it.
        master: The title as it was given to the encoder.
        limits: Bounds on what one asset may cost.
        progress: Called with the time reached in the capture, seconds.

    Raises:
        MediaError: One of them cannot be read.
        NotComparableError: The capture does not show this title.
    """
    limits = limits or Limits()
    facts = read_session(session)
    video = capture_path(session, facts)
    with open_media(master, limits=limits) as base, open_media(video, limits=limits) as capture:
        signatures = (read_signatures(base), read_signatures(capture, progress=progress))
        found = align(*signatures)
        areas = (signatures[0].area, signatures[1].area)
        crops = shared_crops(areas, found.window)
        times_s = np.asarray(facts.times_s)
        if len(times_s) != len(signatures[1]):
            times_s = signatures[1].times_s
        pairs = _looked_at(found.paired, signatures)
        lines = _lines_by_second(base, capture, pairs, crops, times_s)
        return Shown(
            rungs=_merged(lines, float(times_s[-1])),
            aspect=_aspect(areas[1], capture),
            master_aspect=_aspect(areas[0], base),
            frames=int((found.paired >= 0).sum()),
            missing_sound=_missing_sound(
                base, capture, found.paired, signatures[0].times_s, times_s
            ),
        )


def _missing_sound(
    base: Reader,
    capture: Reader,
    paired: NDArray[np.int64],
    base_s: NDArray[np.float64],
    times_s: NDArray[np.float64],
) -> tuple[Interval, ...] | None:
    if base.info.audio is None or capture.info.audio is None:
        return None
    rows = np.flatnonzero(paired >= 0)
    return missing_sound(
        read_levels(capture), read_levels(base), times_s[paired[rows]], base_s[rows]
    )


def _aspect(area: ActiveArea, reader: Reader) -> float:
    wide, high = str(reader.info.facts["pixel_aspect"]).split(":")
    return area.width * int(wide) / int(high) / area.height


def _looked_at(
    paired: NDArray[np.int64], signatures: tuple[Signatures, Signatures]
) -> list[tuple[int, int]]:
    """Returns pairs of frames, some a second, in order."""
    rows = np.flatnonzero(paired >= 0)
    every = max(1, round(float(signatures[0].frame_rate) / _LOOKS_A_S))
    return [(int(row), int(paired[row])) for row in rows[::every]]


def _lines_by_second(
    base: Reader,
    capture: Reader,
    pairs: list[tuple[int, int]],
    crops: tuple[Crop, Crop],
    times_s: NDArray[np.float64],
) -> list[tuple[float, int | None]]:
    """Returns time and height of each second in which frames were compared."""
    seconds: dict[int, list[tuple[Spectrum, Spectrum]]] = {}
    frames = [enumerate(main_frames(reader)) for reader in (base, capture)]
    size = (crops[1].width, crops[1].height)
    for pair in pairs:
        planes = [
            _plane(f, number, crop) for f, number, crop in zip(frames, pair, crops, strict=True)
        ]
        if planes[0] is None or planes[1] is None:
            break
        master = scaled_plane(planes[0], *size)
        spectra = (_spectrum(master), _spectrum(planes[1]))
        if _is_pair(*spectra):
            seconds.setdefault(int(times_s[pair[1]]), []).append(spectra)
    finest = min(crops[0].height, crops[1].height)
    return [(float(second), _lines(both, size, finest)) for second, both in sorted(seconds.items())]


def _plane(frames: Iterator[tuple[int, Any]], wanted: int, crop: Crop) -> NDArray[np.uint8] | None:
    for number, frame in frames:
        if number == wanted:
            luma = frame.planes[0].data >> (frame.bit_depth - 8)
            rows = slice(crop.top, crop.top + crop.height)
            return luma[rows, crop.left : crop.left + crop.width].astype(np.uint8)
    return None


def _spectrum(plane: NDArray[np.uint8]) -> Spectrum:
    """Returns the spectrum along columns, (bins, columns)."""
    luma = plane.astype(np.float32)
    window = np.hanning(len(luma)).astype(np.float32)[:, None]
    return np.fft.rfft((luma - luma.mean(axis=0)) * window, axis=0).astype(np.complex64)


def _is_pair(master: Spectrum, shown: Spectrum) -> bool:
    """Whether coarse detail agrees: frames beside the right ones differ where anything moves."""
    bins = slice(1, max(3, round(_COARSEST * len(master))))
    common = np.abs((shown[bins] * master[bins].conj()).sum())
    powers = [float((np.abs(own[bins]) ** 2).sum()) for own in (master, shown)]
    return float(common) >= _SAME_PLACE * float(np.sqrt(powers[0] * powers[1]))


def _lines(
    spectra: list[tuple[Spectrum, Spectrum]], size: tuple[int, int], finest: int
) -> int | None:
    """Returns the height up to whose detail the capture follows the master."""
    width, height = size
    common = _summed([(c * m.conj()).sum(axis=1) for m, c in spectra])
    power = _summed([(np.abs(m) ** 2).sum(axis=1) for m, _ in spectra])
    follows = np.abs(common) / np.maximum(power, 1e-9)
    share = np.arange(len(follows)) / (len(follows) - 1)
    # White noise of one squared code has the power of the window in every bin.
    noise = len(spectra) * width * _BINS * float((np.hanning(height) ** 2).sum())
    known = (power > _DETAIL_CODE2 * noise) & (share < 0.97 * finest / height)
    stops = np.flatnonzero((share > _COARSEST) & (follows < _FOLLOWS))
    last = int(np.flatnonzero(~known & (share > _COARSEST))[0]) if (~known).any() else len(share)
    if len(stops) and stops[0] < last:
        return min(round(float(share[stops[0]]) / _REACH * height), finest)
    # It follows as far as there is detail: the finest rung where that is far enough.
    return finest if share[min(last, len(share) - 1)] >= _REACH * finest / height else None


def _summed(rows: list[Any]) -> NDArray[Any]:
    """Returns the sum over frames, (bins,), each bin with its neighbours."""
    return np.convolve(np.sum(rows, axis=0), np.ones(_BINS), "same")


def _merged(lines: list[tuple[float, int | None]], end_s: float) -> tuple[Rung, ...]:
    """Joins seconds that show the same rung; what cannot be told belongs to the rung before it."""
    groups: list[tuple[float, float, list[int]]] = []
    for second, height in lines:
        until_s = min(second + 1.0, end_s)
        values = groups[-1][2] if groups else []
        if groups and (height is None or not values or _is_same(height, values)):
            start_s, _, _ = groups[-1]
            groups[-1] = (start_s, until_s, values + ([height] if height is not None else []))
        else:
            groups.append((second, until_s, [height] if height is not None else []))
    _settle(groups)
    return tuple(
        Rung(Interval(start_s, until_s), round(float(np.median(values))) if values else None)
        for start_s, until_s, values in groups
    )


def _settle(groups: list[tuple[float, float, list[int]]]) -> None:
    """Joins a second in which the rung changed, and so lies between two, to the later one."""
    for k in range(len(groups) - 2, 0, -1):
        before, own, after = (groups[k + step][2] for step in (-1, 0, 1))
        if (
            len(own) == 1
            and before
            and min(before[-1], after[0]) < own[0] < max(before[-1], after[0])
        ):
            groups[k : k + 2] = [(groups[k][0], groups[k + 1][1], after)]


def _is_same(height: int, values: list[int]) -> bool:
    middle = float(np.median(values))
    return 1 / _SAME_RUNG < height / middle < _SAME_RUNG
