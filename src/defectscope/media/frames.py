"""What the decoder hands on: planes, frames, samples and its complaints.

Arrays are read-only views on the decoder's own buffers; whoever wants to keep one copies it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

# Samples of floating-point formats are held at 60 dB above full scale: no recording reaches it, and
# what lies beyond (1e30 in a broken file) would overflow whatever is summed from it.
LOUDEST = np.float32(1000.0)


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane of a frame.

    Attributes:
        data: (height, stride) samples, uint8 or uint16 with the value in the low bits. Columns
            from `width` on are the decoder's padding.
        width: Samples per row that belong to the frame.
        height: Rows.
    """

    data: Pixels
    width: int
    height: int

    @property
    def pixels(self) -> Pixels:
        """The samples without padding, (height, width)."""
        return self.data[:, : self.width]


@dataclass(frozen=True, slots=True)
class Frame:
    """One presented frame.

    Attributes:
        pts: Ticks of the video's time base since the first presented frame (t = 0).
        duration: Ticks that it is meant to stay; 0 where the container does not say.
        planes: Luma, then the two chroma planes where there is colour.
        bit_depth: Significant bits of a sample, 8 to 16.
        corrupt: The decoder concealed damage in it or saw its reference missing.
        key: A random access point.
        flagged_interlaced: The stream says that it holds two fields.
        size_changed: The decoder gave another size than the stream's first; it was scaled.
        native: The decoder's own frame, for conversions inside `defectscope.media`.
        view: 0 for the main video track, else which of `StreamInfo.views`, from 1.
    """

    pts: int
    duration: int
    planes: tuple[Plane, ...]
    bit_depth: int
    corrupt: bool = False
    key: bool = False
    flagged_interlaced: bool = False
    size_changed: bool = False
    native: Any = None
    view: int = 0


@dataclass(frozen=True, slots=True)
class DecodeEvent:
    """Something the demuxer or a decoder complained about.

    Attributes:
        kind: `decode_error` (a packet could not be decoded), `corrupt_frame` (decoded with
            concealment), `corrupt_packet` (the container flags it), `size_change`,
            `audio_gap`/`audio_overlap` (sample positions jump; `amount_s` says by how much),
            `video_overlap` (a time stamp steps back; the frame is left out),
            `truncated` (the demuxer gave up before the end), `clock_restart` (the stream's clock
            jumps; the programme's goes on), `layout_change` and `rate_change` (of sound;
            `amount_s` says how many channels or hertz follow), `late_start` (what comes before the
            first key frame cannot be shown), `ended` (a track has come to its end).
        media: `video` or `audio`.
        time_s: When, in seconds from t = 0.
        amount_s: Size of a jump in seconds, else 0.
        track: Number of the track in the container; -1 where that says nothing.
    """

    kind: Literal[
        "decode_error",
        "corrupt_frame",
        "corrupt_packet",
        "size_change",
        "video_overlap",
        "audio_gap",
        "audio_overlap",
        "truncated",
        "clock_restart",
        "layout_change",
        "rate_change",
        "late_start",
        "ended",
    ]
    media: Literal["video", "audio"]
    time_s: float
    amount_s: float = 0.0
    track: int = -1


@dataclass(frozen=True, slots=True)
class Samples:
    """A run of consecutive sound.

    Attributes:
        start: Position of the first sample on the grid of the file's own rate, t = 0 at 0.
        data: (samples, channels) float32, nominal full scale -1 to 1, at most `LOUDEST` unless
            they are no numbers at all.
        sound: Which of the reader's sounds, 0 for the main one.
    """

    start: int
    data: NDArray[np.float32]
    sound: int = 0


class Rendering:
    """A frame for a network, converted when it is first looked at.

    Most of what a selection holds is never looked at: where no face was found, say.

    Args:
        make: Returns (height, width, 3) uint8 RGB; called at most once.
        held_bytes: What waiting costs: the bytes of the frame that `make` keeps.
    """

    __slots__ = ("_make", "_rgb", "held_bytes")

    def __init__(self, make: Callable[[], NDArray[np.uint8]], held_bytes: int = 0) -> None:
        self._make: Callable[[], NDArray[np.uint8]] | None = make
        self._rgb: NDArray[np.uint8] | None = None
        self.held_bytes = held_bytes

    @staticmethod
    def of(rgb: NDArray[np.uint8]) -> Rendering:
        """Returns one that is converted already."""
        return Rendering(lambda: rgb, rgb.nbytes)

    @property
    def rgb(self) -> NDArray[np.uint8]:
        """(height, width, 3) uint8."""
        if self._rgb is None:
            assert self._make is not None
            # What was decoded is let go once it has been converted.
            self._rgb, self._make = self._make(), None
        return self._rgb


def _copied(plane: Plane | None) -> Plane | None:
    return None if plane is None else Plane(plane.pixels.copy(), plane.width, plane.height)


def _let_go() -> NDArray[np.uint8]:
    raise RuntimeError("only the luma of this frame was kept")


@dataclass(frozen=True, slots=True)
class RgbFrame:
    """A frame for a network.

    Attributes:
        pts: As in `Frame`.
        shown: The frame.
        before: The one presented before it, of the same shape, where it was asked for.
        luma: Its luma as decoded, where that was asked for.
        luma_before: That of the one presented before it, where both were asked for.
        memo: What has been measured of it: analyses that look at the same frame share it.
    """

    pts: int
    shown: Rendering
    before: Rendering | None = None
    luma: Plane | None = None
    luma_before: Plane | None = None
    memo: dict[str, Any] = field(default_factory=dict[str, Any], compare=False, repr=False)

    @property
    def rgb(self) -> NDArray[np.uint8]:
        """(height, width, 3) uint8."""
        return self.shown.rgb

    def luma_alone(self) -> RgbFrame:
        """Returns it with copies of its luma and without RGB: it holds no frame of the decoder's.

        A frame that waits for seconds would have the decoder make another in its place, and what it
        has made once it keeps.
        """
        return RgbFrame(
            self.pts, Rendering(_let_go), None, _copied(self.luma), _copied(self.luma_before)
        )

    @property
    def previous_rgb(self) -> NDArray[np.uint8] | None:
        """The frame presented before it, same shape."""
        return None if self.before is None else self.before.rgb


__all__ = ["DecodeEvent", "Frame", "Pixels", "Plane", "Rendering", "RgbFrame", "Samples"]
