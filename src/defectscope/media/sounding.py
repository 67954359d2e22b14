"""Turns what a sound decoder gives into runs of samples of the sounds that its track is part of."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from defectscope.media.clocks import ProgrammeClock
from defectscope.media.frames import LOUDEST, DecodeEvent, Samples
from defectscope.media.sampleclock import SampleClock
from defectscope.media.stream import AudioInfo, Sound

# An AAC frame overlaps the one before it, and one more settles its predictors.
_AUDIO_PREROLL_S = Fraction(1, 10)
# Tracks of one sound that lag behind the others by more are taken for silent there.
_MAX_LAG_S = 4


class Sounder:
    """Places the decoded sound of one track on its sample grid, whatever becomes of its format."""

    def __init__(
        self,
        audio: AudioInfo,
        track: int,
        origin_s: Fraction,
        first_s: Fraction,
        start: Fraction,
        end: Fraction | None,
        *,
        programme: ProgrammeClock,
    ) -> None:
        """Prepares for one run of reading.

        Args:
            audio: The track's facts as it begins.
            track: The track's number.
            origin_s: The container's own time of t = 0, seconds.
            first_s: The container's own time of the track's first sample.
            start: First instant wanted.
            end: First instant not wanted; None for the end.
            programme: The programme's clock, shared by all tracks.
        """
        self.audio = audio
        self.channels = len(audio.channels)
        self.layout = audio.layout
        self._track = track
        self._start, self._end = start, end
        self._clock = SampleClock(
            audio.rate_hz, audio.codec, origin_s, first_s, programme=programme, track=track
        )
        self._resampler: Any = None
        self._resampled_from: int | None = None
        self._rate_hz = audio.rate_hz
        # First samples of which something is said, and that are handed on; the first that is not.
        self._told_from = max(0, int((start - _AUDIO_PREROLL_S) * audio.rate_hz))
        self._wanted_from = max(0, ceil(start * audio.rate_hz))
        self._wanted_to = None if end is None else ceil(end * audio.rate_hz)

    @property
    def done(self) -> bool:
        """Nothing more is wanted."""
        return self._end is not None and self._clock.position_s >= self._end

    @property
    def end_s(self) -> float:
        """Where the sound has come to, seconds."""
        return float(max(self._clock.position_s, Fraction(0)))

    def take(self, native: Any) -> Iterator[tuple[int, NDArray[np.float32]] | DecodeEvent]:
        """Takes the next decoded run; returns its position and (channels, samples), or errors."""
        yield from self._followed(native)
        if self._resampler is None:
            yield from self._placed(native, native.pts, native.time_base)
            return
        for run in self._resampler.resample(native):
            # What comes out lags by the filter's delay: only the first time stamp is heeded.
            yield from self._placed(run, self._resampled_from, native.time_base)
            self._resampled_from = None

    def _followed(self, native: Any) -> Iterator[DecodeEvent]:
        """Follows a change of rate or layout, and says so."""
        rate_hz, channels = native.sample_rate, native.layout.nb_channels
        if (rate_hz, channels) == (self._rate_hz, self.channels):
            return
        at_s = max(self._clock.position_s, Fraction(0))
        for kind, now, before in (
            ("rate_change", rate_hz, self._rate_hz),
            ("layout_change", channels, self.channels),
        ):
            if now != before and at_s >= self._start and not self.done:
                name: Any = kind
                yield DecodeEvent(name, "audio", float(at_s), float(now), self._track)
        self._rate_hz, self.channels = rate_hz, channels
        self.layout = str(native.layout.name)
        self._resampler = None
        if rate_hz != self.audio.rate_hz:
            self._resampler = av.AudioResampler("fltp", None, self.audio.rate_hz)
            self._resampled_from = native.pts

    def _placed(
        self, native: Any, pts: int | None, time_base: Fraction
    ) -> Iterator[tuple[int, NDArray[np.float32]] | DecodeEvent]:
        data = native.to_ndarray()
        if native.format.name != "fltp":
            data = _to_float(data, native)
        if not (data.size and data.min() >= -LOUDEST and data.max() <= LOUDEST):
            data = np.clip(data, -LOUDEST, LOUDEST, where=np.isfinite(data), out=data.copy())
        if data.shape[0] != native.layout.nb_channels:
            return
        clock, first = self._clock, self._told_from
        placed = clock.place(pts, time_base, data.shape[1])
        position, jump = placed.position, placed.jump
        data = data[:, placed.left_out :]
        if placed.missing:
            # Too short a gap to leave: the last value is held, which clicks less than silence.
            held = np.repeat(data[:, :1], placed.missing, axis=1)
            data, position = np.concatenate((held, data), axis=1), position - placed.missing
        at_s = position / clock.rate_hz
        if placed.clock_jump_s and position >= first:
            amount_s = placed.clock_jump_s
            yield DecodeEvent("clock_restart", "audio", at_s, amount_s, self._track)
        # What is missing before t = 0 was never to be heard.
        if jump and position >= first and (jump < 0 or position > 0):
            kind = "audio_gap" if jump > 0 else "audio_overlap"
            yield DecodeEvent(kind, "audio", at_s, abs(jump) / clock.rate_hz, self._track)
        cut_head = max(0, self._wanted_from - position)
        cut_tail = data.shape[1]
        if self._wanted_to is not None:
            cut_tail = min(cut_tail, self._wanted_to - position)
        if cut_tail > cut_head:
            yield position + cut_head, data[:, cut_head:cut_tail]


class Assembler:
    """Makes one sound of the channels that several tracks hold."""

    def __init__(self, sound: Sound, number: int) -> None:
        self._sound = sound
        self._number = number
        self._parts: dict[int, list[tuple[int, NDArray[np.float32]]]] = {
            index: [] for index in sound.tracks
        }
        self._reached = dict.fromkeys(sound.tracks, 0)
        self._given: int | None = None
        self._max_lag = _MAX_LAG_S * sound.audio.rate_hz

    @property
    def tracks(self) -> tuple[int, ...]:
        """The tracks that it is made of."""
        return self._sound.tracks

    def take(self, track: int, position: int, data: NDArray[np.float32]) -> Iterator[Samples]:
        """Takes a run of one track; returns what all tracks have come to."""
        self._parts[track].append((position, data))
        self._reached[track] = position + data.shape[1]
        ends = list(self._reached.values())
        yield from self._give(max(min(ends), max(ends) - self._max_lag))

    def flush(self) -> Iterator[Samples]:
        """Returns the rest, silent where tracks ended early."""
        yield from self._give(max(self._reached.values()))

    def _give(self, until: int) -> Iterator[Samples]:
        firsts = [parts[0][0] for parts in self._parts.values() if parts]
        if not firsts:
            return
        start = min(firsts) if self._given is None else max(self._given, min(firsts))
        if until <= start:
            return
        out = np.zeros((until - start, len(self._sound.sources)), np.float32)
        for index, parts in self._parts.items():
            columns = [
                (column, channel)
                for column, (track, channel) in enumerate(self._sound.sources)
                if track == index
            ]
            kept: list[tuple[int, NDArray[np.float32]]] = []
            for position, data in parts:
                end = position + data.shape[1]
                low, high = max(position, start), min(end, until)
                for column, channel in columns:
                    if high > low and channel < data.shape[0]:
                        out[low - start : high - start, column] = data[
                            channel, low - position : high - position
                        ]
                if end > until:
                    cut = max(0, until - position)
                    kept.append((position + cut, data[:, cut:]))
            self._parts[index] = kept
        self._given = until
        yield Samples(start, out, self._number)


def is_whole(sound: Sound, channels: int) -> bool:
    """Tells whether a sound is one track with all its channels in order."""
    return [channel for _, channel in sound.sources] == list(range(channels)) and (
        len(sound.tracks) == 1
    )


def samples_of(position: int, data: NDArray[np.float32], number: int) -> Samples:
    """Returns a run of one track as samples of a sound."""
    return Samples(position, np.ascontiguousarray(data.T), number)


def _to_float(data: Any, native: Any) -> Any:
    """Planar float32 from whatever the decoder gave, full scale 1."""
    channels = native.layout.nb_channels
    if not native.format.is_planar:
        data = data.reshape(-1, channels).T
    if data.dtype == np.uint8:
        return ((data.astype(np.float32) - 128.0) / 128.0).astype(np.float32)
    if np.issubdtype(data.dtype, np.integer):
        return (data / float(np.iinfo(data.dtype).max + 1)).astype(np.float32)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
        return data.astype(np.float32)
