"""How much of each track was decoded and looked at."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

from defectscope.findings import NOT_ASKED
from defectscope.measurements import Measurements, Table
from defectscope.media.frames import Frame, Samples
from defectscope.media.stream import Sound, StreamInfo

NAME = "coverage"
"""Under which coverage travels among the measurements."""

_TICKS_HZ = 90_000
# Damaged time stamps can name instants that no table holds.
_FARTHEST_S = 1e12


class Coverage:
    """Counts frames and samples of [start_s, end_s) by track."""

    def __init__(self, stream: StreamInfo, start_s: float | None, end_s: float | None) -> None:
        self._stream = stream
        self._start_s = 0.0 if start_s is None else start_s
        self._end_s = float("inf") if end_s is None else end_s
        tracks = {index for sound in stream.sounds for index in sound.tracks}
        tracks |= {view.index for view in stream.views}
        if stream.video_track is not None:
            tracks.add(stream.video_track)
        # First instant, end, and how many frames or samples, by track.
        self._seen: dict[int, list[float]] = {index: [] for index in sorted(tracks)}

    def frame(self, frame: Frame, begin_s: float, nominal_s: float, tick_s: float) -> None:
        """Counts a frame."""
        views = self._stream.views
        track = views[frame.view - 1].index if frame.view else self._stream.video_track
        length_s = frame.duration * tick_s or nominal_s
        if track is not None and self._start_s <= begin_s < self._end_s:
            self._add(track, begin_s, begin_s + length_s, 1)

    def samples(self, run: Samples, sound: Sound) -> None:
        """Counts a run of sound for each track that it comes from."""
        rate_hz = sound.audio.rate_hz
        first, last = run.start / rate_hz, (run.start + len(run.data)) / rate_hz
        begin_s, end_s = max(first, self._start_s), min(last, self._end_s)
        if end_s > begin_s:
            for track in sound.tracks:
                self._add(track, begin_s, end_s, round((end_s - begin_s) * rate_hz))

    def _add(self, track: int, begin_s: float, end_s: float, units: int) -> None:
        seen = self._seen[track]
        if not seen:
            self._seen[track] = [begin_s, end_s, units]
            return
        seen[1] = max(seen[1], end_s)
        seen[2] += units

    def measurements(self) -> Measurements:
        """Returns a row per track: from when to when, and how many frames or samples."""
        tables: dict[str, Table] = {}
        for track, seen in self._seen.items():
            at, until, units = array("q"), array("q"), array("q")
            if seen:
                at.append(round(min(seen[0], _FARTHEST_S) * _TICKS_HZ))
                until.append(round(min(seen[1], _FARTHEST_S) * _TICKS_HZ))
                units.append(int(seen[2]))
            columns = {"at": at, "until": until, "units": units}
            tables[f"track{track}"] = Table((_TICKS_HZ, 1), columns)
        return Measurements(NAME, tables)


def track_rows(
    stream: StreamInfo, coverage: Measurements | None, wanted: frozenset[str]
) -> list[dict[str, Any]]:
    """Returns the report's tracks: declared and decoded length, what was looked at or why not.

    Args:
        stream: Facts of the asset.
        coverage: What was decoded; None where no detector ran.
        wanted: Which of `video` and `audio` the detectors had decoded.
    """
    tables: Mapping[str, Table] = {} if coverage is None else coverage.tables
    rows: list[dict[str, Any]] = []
    for track in stream.tracks:
        table = tables.get(f"track{track.index}")
        row: dict[str, Any] = {
            "index": track.index,
            "medium": track.medium,
            "codec": track.codec,
            "declared_s": None if track.declared_s is None else round(track.declared_s, 4),
            "decoded_s": None,
            "judged": not track.reason,
            "reason": track.reason,
        }
        if track.medium in ("video", "audio") and track.medium not in wanted and not track.reason:
            row["judged"], row["reason"] = False, NOT_ASKED
        elif table is not None and not track.reason:
            units = sum(table.columns["units"])
            row["decoded_s"] = 0.0
            row["frames" if track.medium == "video" else "samples"] = units
            if len(table):
                ticks = max(table.columns["until"]) - min(table.anchors)
                row["decoded_s"] = round(ticks / _TICKS_HZ, 4)
            if not units:
                row["judged"], row["reason"] = False, "nothing of it could be decoded"
        for name in ("language", "programme", "layout"):
            value = getattr(track, name)
            if value is not None:
                row[name] = value
        rows.append(row)
    return rows


def units_of(coverage: Measurements, tracks: set[int]) -> int:
    """Returns how many frames or samples of some tracks were decoded."""
    return sum(
        sum(table.columns["units"])
        for name, table in coverage.tables.items()
        if int(name.removeprefix("track")) in tracks
    )


def end_s(coverage: Measurements, track: int | None = None) -> float | None:
    """Returns when a track, or the last of all, ended, in seconds; None if none was decoded."""
    ends = [
        max(table.columns["until"])
        for name, table in coverage.tables.items()
        if len(table) and track in (None, int(name.removeprefix("track")))
    ]
    return max(ends) / _TICKS_HZ if ends else None


def facts_of(stream: StreamInfo, coverage: Measurements | None) -> dict[str, Any]:
    """Returns what the container states, and how far the sound's end is from the frames' end.

    Args:
        stream: Facts of the asset.
        coverage: What was decoded; None where no detector ran.
    """
    facts = dict(stream.facts)
    video, sounds = stream.video, stream.sounds
    if coverage is None or video is None or stream.video_track is None or not sounds:
        return facts
    video_end_s, sound_end_s = (
        end_s(coverage, stream.video_track),
        end_s(coverage, sounds[0].tracks[0]),
    )
    if video_end_s is not None and sound_end_s is not None:
        facts["length_difference_frames"] = round(
            (sound_end_s - video_end_s) * float(video.frame_rate), 3
        )
    return facts


def asset_of(stream: StreamInfo, coverage: Measurements | None, covered_s: float) -> dict[str, Any]:
    """Returns what a report says of the asset: its length, and its main video and sound.

    Args:
        stream: Facts of the asset.
        coverage: What was decoded; None where no detector ran.
        covered_s: Seconds of programme that were to be decoded.
    """
    duration_s = stream.duration_s
    decoded_s = None if coverage is None else end_s(coverage)
    if decoded_s and not stream.declares_length:
        # Nothing in the file says how long it is, and an estimate from a clock that jumped errs:
        # what was decoded does, of a part where that is more.
        whole = covered_s >= stream.duration_s
        duration_s = decoded_s if whole else max(duration_s, decoded_s)
    asset: dict[str, Any] = {"uri": stream.uri, "duration_s": round(duration_s, 6)}
    if stream.video is not None:
        video = stream.video
        asset["video"] = {
            "width": video.width,
            "height": video.height,
            "frame_rate": f"{video.frame_rate.numerator}/{video.frame_rate.denominator}",
            "codec": video.codec,
        }
        if video.variable_frame_rate:
            asset["video"]["variable_frame_rate"] = True
    if stream.audio is not None:
        audio = stream.audio
        asset["audio"] = {
            "rate_hz": audio.rate_hz,
            "channels": len(audio.channels),
            "layout": audio.layout,
            "codec": audio.codec,
        }
    return asset
