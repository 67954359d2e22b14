"""Grabs frames of a screen or of a capture card, each with the time on the grabber's own clock."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from defectscope.errors import InvalidParameterError, MediaError
from defectscope.media.frames import Frame
from defectscope.media.pixels import convert, planes_of

_SIDES_PX = (16, 8192)
_HIGHEST_FPS = 240
_DISPLAY = re.compile(r"[A-Za-z0-9.-]{0,64}:\d{1,5}(\.\d{1,3})?(\+\d{1,5},\d{1,5})?")
_DEVICE = re.compile(r"/dev/[A-Za-z0-9/_.-]{1,64}")
# What captures are kept as: every encoder and every measure takes it.
PIXEL_FORMAT = "yuv420p"


class GrabberError(MediaError):
    """A screen or capture card cannot be grabbed."""

    code = "grabber_failed"


@dataclass(frozen=True, slots=True)
class GrabSpec:
    """What is grabbed.

    Attributes:
        kind: FFmpeg's device: `x11grab` or `v4l2`.
        address: Display as `:99.0` or `:99.0+8,16`; device as `/dev/video0`.
        width: Width in pixels, even.
        height: Height in pixels, even.
        rate: Captures a second.

    Raises:
        InvalidParameterError: A value is out of range, or the address is none of that kind.
    """

    kind: str
    address: str
    width: int
    height: int
    rate: Fraction

    def __post_init__(self) -> None:
        form = {"x11grab": _DISPLAY, "v4l2": _DEVICE}.get(self.kind)
        if form is None or form.fullmatch(self.address) is None or ".." in self.address:
            raise InvalidParameterError(
                "a source is x11grab:DISPLAY, as x11grab::99.0, or v4l2:DEVICE, as "
                f"v4l2:/dev/video0, not {self.kind}:{self.address}"
            )
        low, high = _SIDES_PX
        for side in (self.width, self.height):
            if not low <= side <= high or side % 2:
                raise InvalidParameterError(
                    f"the size is even and {low} to {high} a side, not {self.width}x{self.height}"
                )
        if not 1 <= self.rate <= _HIGHEST_FPS:
            raise InvalidParameterError(
                f"the rate is 1 to {_HIGHEST_FPS} captures a second, not {self.rate}"
            )

    @staticmethod
    def parse(source: str, size: tuple[int, int], rate: Fraction) -> GrabSpec:
        """Returns the spec of a source written as `KIND:ADDRESS`.

        Raises:
            InvalidParameterError: It is no such source.
        """
        kind, _, address = source.partition(":")
        return GrabSpec(kind, address, *size, rate)

    @property
    def source(self) -> str:
        """The source as it is written on a command line."""
        return f"{self.kind}:{self.address}"


@dataclass(frozen=True, slots=True)
class Grab:
    """One captured frame.

    Attributes:
        at_s: When it was captured, Unix time by the grabber's clock, seconds.
        arrived_s: When it came, by this machine's monotonic clock, seconds.
        frame: The frame, 8-bit 4:2:0 of the asked size; its `pts` are microseconds of `at_s`.
        repeated: Its luma equals that of the capture before, sample by sample.
    """

    at_s: float
    arrived_s: float
    frame: Frame
    repeated: bool


def grab(spec: GrabSpec) -> Generator[Grab]:
    """Yields captures until the source ends or the iterator is closed.

    X11's times are taken as each capture is made; those of V4L2 are the driver's, moved to Unix
    time. A card that gives another size is scaled.

    Raises:
        GrabberError: The source cannot be opened, gives nothing, or is none of this FFmpeg's.
    """
    options = {
        "framerate": f"{spec.rate.numerator}/{spec.rate.denominator}",
        "video_size": f"{spec.width}x{spec.height}",
    }
    # The pointer is no part of what the device shows; V4L2's times are since the machine's start.
    options |= {"draw_mouse": "0"} if spec.kind == "x11grab" else {"timestamps": "abs"}
    container = open_grabber(spec.address, spec.kind, options, named=spec.source)
    with closing(container):
        yield from _captures(container, spec)


def open_grabber(address: str, kind: str, options: dict[str, str], *, named: str) -> Any:
    """Opens one of FFmpeg's devices; returns PyAV's container.

    Args:
        address: What to open.
        kind: FFmpeg's device.
        options: Of that device.
        named: The source as errors name it.

    Raises:
        GrabberError: It cannot be opened, or is none of this FFmpeg's.
    """
    try:
        return av.open(address, format=kind, options=options)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        reason = str(getattr(error, "strerror", None) or error).split(":")[0].lower()
        raise GrabberError(f"{named}: cannot be grabbed ({reason})") from None


def _captures(container: Any, spec: GrabSpec) -> Generator[Grab]:
    before: NDArray[Any] | None = None
    grabbed = False
    try:
        for native in container.decode(video=0):
            arrived_s = time.monotonic()
            at = native.pts * Fraction(native.time_base)
            own = convert(native, PIXEL_FORMAT, spec.width, spec.height)
            planes = planes_of(own, 8)
            luma = planes[0].pixels
            repeated = before is not None and np.array_equal(before, luma)
            before = luma
            grabbed = True
            frame = Frame(round(at * 1_000_000), 0, planes, 8, native=own)
            yield Grab(float(at), arrived_s, frame, repeated)
    except (av.error.FFmpegError, OSError) as error:
        # A screen that is gone ends the capture; what was grabbed stays good.
        if not grabbed:
            raise GrabberError(f"{spec.source}: gives no frame ({error})") from None
