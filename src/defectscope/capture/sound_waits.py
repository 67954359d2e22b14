"""What a viewer waits for by ear: the first sound, silences, sound that is lost after a switch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from defectscope.capture.jumps import Jump
from defectscope.capture.waits import Waits
from defectscope.findings import Interval
from defectscope.media.frames import Samples
from defectscope.media.reader import Reader
from defectscope.temporal.spans import runs

Levels = NDArray[np.float64]
SilenceCause = Literal["stall", "jump", "black", "device"]
_CAUSES: tuple[Literal["jump", "stall", "black"], ...] = ("jump", "stall", "black")

# Levels are of so much sound each.
STEP_S = 0.02
# Silent is so far below what the session mostly plays, and between these levels. A digital capture
# is silent at -90 dBFS, an analogue one hisses at -60.
_BELOW_DB, _LOUDEST_DBFS, _SOFTEST_DBFS = 40.0, -50.0, -70.0
# Source: speech pauses for a third of a second between words.
_LEAST_S = 0.5
# Sound is lost when it stays away for so long after the picture is there again.
_LOST_S = 2.0
# Picture and sound are known to a capture or two, and sound may stop before or after.
_REACH_S = 0.5


@dataclass(frozen=True)
class Silence:
    """A silence while a programme that had sound should play.

    Attributes:
        interval: From when to when, seconds of the capture.
        cause: What lies there: `stall`, `jump` (a seek or a switch), `black`; `device` where
            nothing explains it.
    """

    interval: Interval
    cause: SilenceCause


@dataclass(frozen=True)
class SoundJump:
    """What a seek or a switch did to the sound.

    Attributes:
        jump: The seek or switch.
        sounds_s: When there was sound again, seconds of the capture; where it never paused, when
            the new place was shown; None where it did not come back.
        lost: Whether it stayed away for 2 s and more after the picture was back.
    """

    jump: Jump
    sounds_s: float | None
    lost: bool


@dataclass(frozen=True)
class SoundWaits:
    """All that a viewer waited for by ear.

    Attributes:
        first_sound_s: When the first sound came after the launch; None where none ever did.
        startup_s: From the launch to then; None without a mark.
        jumps: What seeks and switches did.
        silences: Silences of half a second and more between the first sound and the end.
    """

    first_sound_s: float | None
    startup_s: float | None
    jumps: tuple[SoundJump, ...]
    silences: tuple[Silence, ...]

    @property
    def lost(self) -> int:
        """After how many seeks and switches sound was lost."""
        return sum(jump.lost for jump in self.jumps)

    def to_dict(self) -> dict[str, Any]:
        """Returns it as its JSON object."""
        return {
            "first_sound_s": _rounded(self.first_sound_s),
            "startup_s": _rounded(self.startup_s),
            "jumps": [
                {
                    "name": one.jump.name,
                    "asked_s": _rounded(one.jump.asked_s),
                    "sounds_s": _rounded(one.sounds_s),
                    "lost": one.lost,
                }
                for one in self.jumps
            ],
            "silences": [
                {
                    "start_s": round(one.interval.start_s, 3),
                    "end_s": round(one.interval.end_s, 3),
                    "cause": one.cause,
                }
                for one in self.silences
            ],
        }


def read_levels(reader: Reader) -> Levels:
    """Returns the level of each 20 ms of a capture's main sound, (steps,), dBFS.

    Args:
        reader: The capture, with sound.

    Raises:
        MediaError: It cannot be decoded.
    """
    audio = reader.info.audio
    assert audio is not None
    step = round(STEP_S * audio.rate_hz)
    power, steps = np.zeros(0), 0
    for item in reader.read(video=False):
        if isinstance(item, Samples) and item.sound == 0:
            at = (item.start + np.arange(len(item.data))) // step
            squares = np.square(item.data, dtype=np.float64).mean(axis=1)
            steps = max(steps, int(at[-1]) + 1)
            power = _longer(power, steps)
            power[at[0] : at[-1] + 1] += np.bincount(at - at[0], squares)
    return 10 * np.log10(np.maximum(power[:steps] / step, 1e-12))


def is_silent(levels: Levels) -> NDArray[np.bool_]:
    """Tells of each level whether it is silence in what all of them are, (steps,)."""
    if not len(levels):
        return np.zeros(0, np.bool_)
    mostly = float(np.quantile(levels, 0.95))
    return levels <= min(max(mostly - _BELOW_DB, _SOFTEST_DBFS), _LOUDEST_DBFS)


def measure_sound(
    levels: Levels, waits: Waits, *, end_s: float, launched_s: float | None = None
) -> SoundWaits:
    """Measures the sound of a captured session.

    Args:
        levels: (steps,) dBFS of each 20 ms, from the first capture on.
        waits: What was measured of the pictures.
        end_s: When the programme ends or comes to rest for good, seconds of the capture.
        launched_s: When the viewer asked for the title, seconds of the capture.
    """
    levels = levels[: max(0, round(end_s / STEP_S))]
    sounds = ~is_silent(levels)
    from_step = max(0, round((launched_s or 0.0) / STEP_S))
    own = np.flatnonzero(sounds[from_step:])
    if not len(own):
        jumps = tuple(SoundJump(jump, None, False) for jump in waits.jumps)
        return SoundWaits(None, None, jumps, ())
    first = from_step + int(own[0])
    quiet = ~sounds
    quiet[:first] = False
    silent = [
        Interval(a * STEP_S, b * STEP_S) for a, b in runs(quiet) if (b - a) * STEP_S >= _LEAST_S
    ]
    last_s = len(levels) * STEP_S
    return SoundWaits(
        first_sound_s=first * STEP_S,
        startup_s=None if launched_s is None else first * STEP_S - launched_s,
        jumps=tuple(_jump(jump, silent, last_s) for jump in waits.jumps),
        silences=tuple(Silence(one, _cause(one, waits)) for one in silent),
    )


def _longer(power: Levels, steps: int) -> Levels:
    # By doubling: a session may last for hours.
    short = steps - len(power)
    return power if short <= 0 else np.pad(power, (0, max(short, len(power))))


def _jump(jump: Jump, silent: list[Interval], last_s: float) -> SoundJump:
    """Finds the silence that a seek or a switch began, and where it ends."""
    shown_s = jump.asked_s if jump.shown_s is None else max(jump.shown_s, jump.asked_s)
    own = next(
        (
            one
            for one in silent
            if jump.asked_s - _REACH_S <= one.start_s <= shown_s + _REACH_S
            or one.start_s <= jump.asked_s < one.end_s
        ),
        None,
    )
    if own is None:
        return SoundJump(jump, shown_s, lost=False)
    # A silence that stood before was there already.
    fresh = own.start_s >= jump.asked_s - _REACH_S
    lost = fresh and own.end_s - shown_s >= _LOST_S
    return SoundJump(jump, None if own.end_s >= last_s - STEP_S else own.end_s, lost)


def _cause(silence: Interval, waits: Waits) -> SilenceCause:
    spans = waits.spans
    # A seek or a switch first: what stands meanwhile is theirs. An overlay silences nothing.
    for cause in _CAUSES:
        for span in spans[cause]:
            around = Interval(max(span.start_s - _REACH_S, 0.0), span.end_s + _REACH_S)
            if around.intersection_s(silence) > silence.duration_s / 2:
                return cause
    return "device"


def _rounded(value_s: float | None) -> float | None:
    return None if value_s is None else round(value_s, 3)
