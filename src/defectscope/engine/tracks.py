"""Every track of an asset: measured beside the main ones, decided alike, told apart in findings.

Measurements of other tracks travel in the same `Measurements`, under tables whose names begin with
the track's key and a slash. So segments join and travel without knowing of tracks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from defectscope.engine.contracts import Detector
from defectscope.engine.coverage import NAME as COVERAGE
from defectscope.engine.coverage import units_of
from defectscope.engine.surroundings import Surroundings
from defectscope.errors import MalformedRequestError
from defectscope.findings import Curve, DetectorResult, Finding, Verdict
from defectscope.measurements import Measurements, Table
from defectscope.media.sounds import audio_of, relabelled
from defectscope.media.stream import Sound, StreamInfo, View

_SLASH = "/"
# The verdict of several tracks is that of the worst.
_RANK: tuple[Verdict, ...] = ("not_applicable", "pass", "not_judged", "inconclusive", "fail")


def sound_key(sound: Sound) -> str:
    """Returns the key of a sound: where it begins, and what it is heard as."""
    index, channel = sound.sources[0]
    return f"sound{index}.{channel}.{sound.audio.layout}"


def view_key(view: View) -> str:
    """Returns the key of a video track."""
    return f"video{view.index}"


def takes(detector: Detector, medium: str) -> bool:
    """Tells whether a detector looks at every track of a medium: at that alone."""
    return set(detector.needs.media) == {medium}


def with_others(main: Measurements, others: Mapping[str, Measurements]) -> Measurements:
    """Returns measurements that hold those of other tracks, by key, as well."""
    tables = dict(main.tables)
    for key, measured in others.items():
        tables |= {key + _SLASH + name: table for name, table in measured.tables.items()}
    return Measurements(main.detector, tables)


def by_track(measurements: Measurements) -> dict[str, Measurements]:
    """Returns the measurements of each track by key; the main one's key is empty."""
    found: dict[str, dict[str, Table]] = {"": {}}
    for name, table in measurements.tables.items():
        key, _, own = name.rpartition(_SLASH)
        found.setdefault(key, {})[own] = table
    return {key: Measurements(measurements.detector, tables) for key, tables in found.items()}


def decide_tracks(
    detector: Detector, measurements: Measurements, stream: StreamInfo
) -> DetectorResult:
    """Decides each track by itself and gives all of it as one result.

    Args:
        detector: Whose measurements they are.
        measurements: Of the whole programme or a part, all tracks.
        stream: The stream's facts.

    Raises:
        MalformedRequestError: The measurements are of tracks that the stream does not have.
    """
    several = len(stream.sounds) > 1 or len(stream.views) > 0
    several = several or any(len(sound.tracks) > 1 for sound in stream.sounds)
    results: list[tuple[str, DetectorResult]] = []
    for key, measured in by_track(measurements).items():
        own, sound, view = _seen(key, stream)
        result = detector.decide(measured, own)
        if several or key:
            named = [_named(finding, detector, stream, sound, view) for finding in result.findings]
            result = replace(result, findings=tuple(named))
        results.append((key, result))
    if len(results) == 1:
        return results[0][1]
    return _one(results)


def result_of(
    detector: Detector,
    measured: Mapping[str, Measurements],
    stream: StreamInfo,
    around: Surroundings | None = None,
) -> DetectorResult:
    """Decides, where there was something to decide on.

    Args:
        detector: Who decides.
        measured: Measurements by detector, and the coverage.
        stream: The stream's facts.
        around: What surrounds the interval that was measured; None where nothing is known of it.
    """
    if detector.name not in measured:
        if stream.cut_short:
            return DetectorResult("not_judged", reason="the file's index is missing")
        wanted = detector.needs.media
        for track in stream.tracks:
            if track.medium in wanted and track.is_closed:
                return DetectorResult("not_judged", reason=f"track {track.index}: {track.reason}")
        return DetectorResult("not_applicable")
    result = decide_tracks(detector, measured[detector.name], stream)
    if around is not None and detector.name in around.measurements:
        among = decide_tracks(detector, around.measurements[detector.name], stream)
        result = around.completed(result, among)
    if result.verdict == "fail" and all(f.severity == "minor" for f in result.findings):
        # Something to look at, not something to refuse.
        result = replace(result, verdict="warn")
    coverage = measured.get(COVERAGE)
    if coverage is None or stream.cut_short or result.findings:
        return result
    reached: dict[str, bool] = {}
    if stream.video_track is not None:
        reached["video"] = units_of(coverage, {stream.video_track}) > 0
    if stream.sounds:
        sounding = {track for sound in stream.sounds for track in sound.tracks}
        reached["audio"] = units_of(coverage, sounding) > 0
    media = set(detector.needs.media) & reached.keys() or set(reached)
    if media and not any(reached[medium] for medium in media):
        return DetectorResult("not_judged", reason="nothing of its media could be decoded")
    return result


def _seen(key: str, stream: StreamInfo) -> tuple[StreamInfo, Sound | None, View | None]:
    """The stream's facts as they are for one track."""
    if not key:
        return stream, stream.sounds[0] if stream.sounds else None, None
    for view in stream.views:
        if view_key(view) == key:
            return stream.with_view(view), None, view
    for sound in stream.sounds:
        if sound_key(sound) == key:
            return stream.with_sound(sound), sound, None
    place, _, layout = key.partition(".")[2].partition(".")
    for sound in stream.sounds:
        if key.startswith(f"sound{sound.sources[0][0]}.{place}."):
            audio = audio_of(layout, sound.audio.rate_hz, sound.audio.codec, sound.audio.language)
            changed = relabelled(sound, audio)
            return stream.with_sound(changed), changed, None
    raise MalformedRequestError(f"there is no track {key!r}")


def _named(
    finding: Finding,
    detector: Detector,
    stream: StreamInfo,
    sound: Sound | None,
    view: View | None,
) -> Finding:
    """Returns a finding that names its track, where it is of one."""
    if finding.track is not None:
        return finding
    if takes(detector, "audio") and sound is not None:
        track = sound.tracks[0]
        channels: Sequence[Any] = finding.evidence.get("channels", ())
        held = dict(zip(sound.audio.channels, (index for index, _ in sound.sources), strict=True))
        of_channels = {held[name] for name in channels if name in held}
        if len(of_channels) == 1:
            track = of_channels.pop()
        return replace(finding, track=track)
    if takes(detector, "video"):
        return replace(finding, track=stream.video_track if view is None else view.index)
    return finding


def _one(results: Sequence[tuple[str, DetectorResult]]) -> DetectorResult:
    findings = [finding for _, result in results for finding in result.findings]
    peaks: dict[str, float] = {}
    curves: dict[str, Curve] = {}
    for key, result in results:
        for name, value in result.peak_score.items():
            peaks[name] = max(value, peaks.get(name, value))
        suffix = "_" + "".join(c if c.isalnum() else "_" for c in key) if key else ""
        curves |= {name + suffix: drawn for name, drawn in result.curves.items()}
    verdict: Verdict = max(results, key=lambda pair: _RANK.index(pair[1].verdict))[1].verdict
    ordered = sorted(findings, key=lambda f: (f.start_s, f.end_s))
    return DetectorResult(verdict, tuple(ordered), peaks, curves)
