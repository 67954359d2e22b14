"""Grabs the sound of a capture card or a sound server, each run with its Unix time."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av.error
import numpy as np
from numpy.typing import NDArray

from defectscope.errors import InvalidParameterError
from defectscope.media.grabbing import GrabberError, open_grabber

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}(:[A-Za-z0-9_=,.-]{1,64})?")
_RATES_HZ = (8_000, 192_000)
_CHANNELS = (1, 2, 6, 8)
# Runs are handed on from this length on: sound servers give less than 3 ms at a time.
_RUN_S = 0.02
# PyAV's own ALSA looks for its configuration where it was built; Debian, Fedora and others have it
# here, with the plug-ins of sound servers.
_CONFIGURATION = Path("/usr/share/alsa/alsa.conf")
_PLUG_INS = (
    Path(f"/usr/lib/{platform.machine()}-linux-gnu/alsa-lib"),
    Path("/usr/lib64/alsa-lib"),
    Path("/usr/lib/alsa-lib"),
)


@dataclass(frozen=True, slots=True)
class SoundSpec:
    """What sound is grabbed.

    Attributes:
        address: A PCM of ALSA: `hw:1,0` or `plughw:CARD=Capture` for a card, `default`, `pulse`.
        rate_hz: Samples a second and channel.
        channels: How many channels: 1, 2, 6 or 8.

    Raises:
        InvalidParameterError: A value is out of range, or the address is none of ALSA's.
    """

    address: str
    rate_hz: int = 48_000
    channels: int = 2

    def __post_init__(self) -> None:
        if _ADDRESS.fullmatch(self.address) is None:
            raise InvalidParameterError(
                "a source of sound is alsa:PCM, as alsa:hw:1,0 or alsa:pulse, not "
                f"alsa:{self.address}"
            )
        low, high = _RATES_HZ
        if not low <= self.rate_hz <= high:
            raise InvalidParameterError(
                f"sound has {low} to {high} samples a second, not {self.rate_hz}"
            )
        if self.channels not in _CHANNELS:
            raise InvalidParameterError(f"sound has 1, 2, 6 or 8 channels, not {self.channels}")

    @staticmethod
    def parse(source: str, rate_hz: int = 48_000, channels: int = 2) -> SoundSpec:
        """Returns the spec of a source written as `alsa:PCM`.

        Raises:
            InvalidParameterError: It is no such source.
        """
        kind, _, address = source.partition(":")
        if kind != "alsa":
            raise InvalidParameterError(
                f"a source of sound is alsa:PCM, as alsa:hw:1,0 or alsa:pulse, not {source}"
            )
        return SoundSpec(address, rate_hz, channels)

    @property
    def source(self) -> str:
        """The source as it is written on a command line."""
        return f"alsa:{self.address}"


@dataclass(frozen=True, slots=True)
class SoundGrab:
    """A run of captured sound.

    Attributes:
        at_s: When its first sample was captured, Unix time, seconds.
        arrived_s: When its last came, by this machine's monotonic clock, seconds.
        data: (samples, channels) float32, nominal full scale -1 to 1.
    """

    at_s: float
    arrived_s: float
    data: NDArray[np.float32]


def grab_sound(spec: SoundSpec) -> Generator[SoundGrab]:
    """Yields runs of sound until the source ends or the iterator is closed.

    ALSA says how long each run waited in its buffer, so times are those of capture.

    Raises:
        GrabberError: The source cannot be opened, gives nothing, or is none of this FFmpeg's.
    """
    _show_alsa_its_configuration()
    options = {"sample_rate": str(spec.rate_hz), "channels": str(spec.channels)}
    container = open_grabber(spec.address, "alsa", options, named=spec.source)
    with closing(container):
        yield from _runs(container, spec)


def _runs(container: Any, spec: SoundSpec) -> Generator[SoundGrab]:
    held: list[NDArray[np.float32]] = []
    at_s, samples, grabbed = 0.0, 0, False
    try:
        for native in container.decode(audio=0):
            if native.sample_rate != spec.rate_hz or native.layout.nb_channels != spec.channels:
                raise GrabberError(
                    f"{spec.source}: gives {native.layout.nb_channels} channels at "
                    f"{native.sample_rate} Hz; alsa:plug{spec.address} converts"
                )
            if not held:
                at_s = float(native.pts * native.time_base)
            # Interleaved 16-bit samples, the only ones that FFmpeg's ALSA gives here.
            data = native.to_ndarray().reshape(-1, spec.channels)
            held.append(data.astype(np.float32) / 32768)
            samples += len(data)
            if samples >= _RUN_S * spec.rate_hz:
                grabbed = True
                yield SoundGrab(at_s, time.monotonic(), np.concatenate(held))
                held, samples = [], 0
    except (av.error.FFmpegError, OSError) as error:
        # A card that is gone ends the capture; what was grabbed stays good.
        if not grabbed:
            raise GrabberError(f"{spec.source}: gives no sound ({error})") from None


def _show_alsa_its_configuration() -> None:
    if _CONFIGURATION.is_file():
        os.environ.setdefault("ALSA_CONFIG_PATH", str(_CONFIGURATION))
    plug_ins = next((folder for folder in _PLUG_INS if folder.is_dir()), None)
    if plug_ins is not None:
        os.environ.setdefault("ALSA_PLUGIN_DIR", str(plug_ins))
