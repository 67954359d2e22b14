"""Analyzes one asset: measure it, in one pass or in segments side by side, then decide once.

media -> measure -> MeasuredAsset -> decide -> Report
segments' reports -> join_segments -> MeasuredAsset -> decide -> Report
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from defectscope.causes import attributed
from defectscope.detectors.registry import load_all
from defectscope.engine.artifacts import tuned
from defectscope.engine.contracts import Detector
from defectscope.engine.coverage import NAME as COVERAGE
from defectscope.engine.coverage import asset_of, facts_of, track_rows
from defectscope.engine.engine import Progress, decoded_media, measure_among
from defectscope.engine.heap import give_back
from defectscope.engine.severity_bounds import bounds_set
from defectscope.engine.surroundings import Surroundings
from defectscope.engine.tracks import result_of
from defectscope.errors import InvalidParameterError, MalformedRequestError
from defectscope.findings import DetectorResult, Finding, Report
from defectscope.measurements import Measurements
from defectscope.media.limits import Limits
from defectscope.media.opening import open_media
from defectscope.media.package_captions import captions_with
from defectscope.media.probe import Choice
from defectscope.media.reader import Reader
from defectscope.media.sidecar import read_captions
from defectscope.media.source import MediaLike, resolved
from defectscope.media.stream import StreamInfo
from defectscope.parallel import Programme, can_share, measure_in_parallel
from defectscope.temporal.spans import on_grid


@dataclass(frozen=True, slots=True)
class MeasuredAsset:
    """What was measured of an asset, and who decides over it.

    Attributes:
        detectors: The detectors that were run, or would have been had they had their media.
        measurements: By detector; without those whose media the asset lacks.
        stream: Facts of the asset.
        covered_s: Seconds of programme that were measured.
        began_s: When the work began, on the clock of `time.perf_counter`.
        artifacts: Folder of the user's own artifacts; None where the environment says.
        around: What surrounds the interval; None where all was measured, or a segment that is
            joined with others.
    """

    detectors: tuple[Detector, ...]
    measurements: Mapping[str, Measurements]
    stream: StreamInfo
    covered_s: float
    began_s: float
    artifacts: str | os.PathLike[str] | None = None
    around: Surroundings | None = None


def analyze(
    media: MediaLike,
    *,
    detectors: Sequence[str] | None = None,
    captions: MediaLike | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    measurements: bool = False,
    limits: Limits | None = None,
    workers: int = 1,
    uri: str | None = None,
    progress: Progress | None = None,
    audio_layout: str | None = None,
    program: int | None = None,
    artifacts: str | os.PathLike[str] | None = None,
) -> Report:
    """Finds the defects in one asset.

    Args:
        media: A local path, an `s3://` address, the bytes themselves, or a seekable binary file.
        detectors: Names of the detectors to run; None runs all.
        captions: Side-car captions: WebVTT, SubRip, TTML/IMSC or EBU STL; None takes those that
            go with a package.
        start_s: First instant analyzed, seconds from the first presented frame.
        end_s: First instant not analyzed.
        parameters: Parameters to replace, by detector.
        measurements: Keep what merging segments needs.
        limits: Bounds on what one asset may cost.
        workers: Processes that share the programme; more than one needs a path or address.
        uri: The name to report.
        progress: Called with the programme time reached, in seconds.
        audio_layout: Which channels of the sound tracks, counted from 1, are heard together, as
            `5.1=1-6,stereo=7,8`; None goes by their labels and number.
        program: Programme of a transport stream; None takes the first with video.
        artifacts: Folder of your own artifacts, as `defectscope-train export` writes it, or one
            that holds several by name; they take the place of the released ones. None goes by
            `DEFECTSCOPE_ARTIFACTS` of the environment.

    Raises:
        UsageError: An argument makes no sense.
        MediaError: The media cannot be analyzed.
        ArtifactError: A released file is missing or damaged.
    """
    began_s = time.perf_counter()
    loaded = load_all(detectors, parameters, artifacts)
    limits = limits or Limits()
    captions = captions_with(media) if captions is None else captions
    side = None if captions is None else read_captions(captions)
    if workers < 1:
        raise InvalidParameterError(f"workers is at least 1, not {workers}")
    choice = Choice(audio_layout=audio_layout, programme=program)
    with (
        resolved(media) as source,
        open_media(source, limits=limits, captions=side, uri=uri, choice=choice) as reader,
    ):
        stream = reader.info
        if can_share(reader, workers, start_s, end_s) == 1:
            measured = measure_asset(
                reader,
                loaded,
                start_s=start_s,
                end_s=end_s,
                progress=progress,
                began_s=began_s,
                joined=measurements,
            )
            measured = replace(measured, artifacts=artifacts)
            return decide(measured, keep_measurements=measurements)
    if not isinstance(media, str | os.PathLike):
        raise InvalidParameterError("more than one worker needs a path or an s3:// address")
    names = tuple(d.name for d in loaded)
    shared = Programme(os.fspath(media), names, parameters, side, limits, choice, artifacts)
    found, around = measure_in_parallel(
        shared, stream, start_s, end_s, workers, progress, around=() if measurements else loaded
    )
    covered_s = _covered_s(stream, start_s, end_s)
    measured = MeasuredAsset(tuple(loaded), found, stream, covered_s, began_s, artifacts, around)
    return decide(measured, keep_measurements=measurements)


def measure_asset(
    reader: Reader,
    detectors: Sequence[Detector],
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    progress: Progress | None = None,
    began_s: float | None = None,
    joined: bool = False,
) -> MeasuredAsset:
    """Decodes [start_s, end_s) of an open asset once and measures it with every detector.

    Args:
        reader: The asset.
        detectors: What to run.
        start_s: First instant, seconds from the first presented frame; None for the beginning.
        end_s: First instant after; None for the end.
        progress: Called with the programme time reached, in seconds.
        began_s: When the work began, on the clock of `time.perf_counter`; None for now.
        joined: It is a segment that is joined with others: what surrounds it is theirs.

    Raises:
        MediaError: The media cannot be decoded.
        InvalidParameterError: The interval is empty.
    """
    began_s = time.perf_counter() if began_s is None else began_s
    found, around = measure_among(
        reader, detectors, start_s=start_s, end_s=end_s, progress=progress, alone=joined
    )
    covered_s = _covered_s(reader.info, start_s, end_s)
    return MeasuredAsset(tuple(detectors), found, reader.info, covered_s, began_s, around=around)


def merge(
    parts: Sequence[Mapping[str, Any]], *, artifacts: str | os.PathLike[str] | None = None
) -> Report:
    """Decides once over the measurements of consecutive segments.

    Args:
        parts: Segments' reports as JSON objects, in order, each made with `measurements`.
        artifacts: As `analyze` takes it.

    Raises:
        MalformedRequestError: They are not segments of one asset, in order, of one version.
    """
    return decide(join_segments(parts, artifacts=artifacts))


def join_segments(
    parts: Sequence[Mapping[str, Any]], *, artifacts: str | os.PathLike[str] | None = None
) -> MeasuredAsset:
    """Joins the measurements of consecutive segments to those of one pass.

    Args:
        parts: Segments' reports as JSON objects, in order, each made with `measurements`.
        artifacts: As `analyze` takes it.

    Raises:
        MalformedRequestError: They are not segments of one asset, in order, of one version.
    """
    began_s = time.perf_counter()
    if not parts:
        raise MalformedRequestError("nothing to merge")
    reports = [Report.from_dict(part) for part in parts]
    head = reports[0]
    if head.stream is None:
        raise MalformedRequestError("a segment carries no measurements: ask for them")
    if any(r.detectors != head.detectors for r in reports):
        raise MalformedRequestError("segments were measured by different detectors or versions")
    if any(r.stream != head.stream for r in reports):
        raise MalformedRequestError("segments are of different assets")
    stream = StreamInfo.from_dict(head.stream)
    by_detector: dict[str, list[Measurements]] = {}
    for report in reports:
        for measured in report.measurements:
            by_detector.setdefault(measured.detector, []).append(measured)
    if any(len(found) != len(reports) for found in by_detector.values()):
        raise MalformedRequestError("a segment lacks measurements that another has")
    parameters = {name: entry.get("parameters", {}) for name, entry in head.detectors.items()}
    loaded = load_all(tuple(head.detectors), parameters, artifacts)
    for detector in loaded:
        stated, known = head.detectors[detector.name], _artifact(detector.name, artifacts)
        if any(stated.get(key) != known.get(key) for key in ("version", "artifact_sha256")):
            raise MalformedRequestError(f"{detector.name} was measured by another version")
    joined = {name: Measurements.join(found) for name, found in by_detector.items()}
    return MeasuredAsset(tuple(loaded), joined, stream, stream.duration_s, began_s, artifacts)


def decide(measured: MeasuredAsset, *, keep_measurements: bool = False) -> Report:
    """Lets every detector decide over what was measured, and returns the report.

    Args:
        measured: What was measured.
        keep_measurements: Keep the measurements in the report, so that segments can be merged.
    """
    stream = measured.stream
    findings: list[Finding] = []
    verdicts: dict[str, dict[str, Any]] = {}
    curves: dict[str, Any] = {}
    described: dict[str, dict[str, Any]] = {}
    by_name = {detector.name: detector for detector in measured.detectors}
    held, around = measured.measurements, measured.around
    results: dict[str, DetectorResult] = {}
    for detector in measured.detectors:
        # Neither what decoding held nor what the decision before needed adds to this one's.
        give_back(measured.covered_s)
        results[detector.name] = result_of(detector, held, stream, around)
    for name, result in attributed(results).items():
        findings += result.findings
        verdicts[name] = {"verdict": result.verdict, "peak_score": dict(result.peak_score)}
        if result.reason:
            verdicts[name]["reason"] = result.reason
        if result.curves:
            curves[name] = result.curves
        described[name] = {
            **_artifact(name, measured.artifacts),
            "parameters": asdict(by_name[name].params) | bounds_set(by_name[name]),
        }
    wall_s = time.perf_counter() - measured.began_s
    covered = measured.measurements.get(COVERAGE)
    asset = asset_of(stream, covered, measured.covered_s)
    return Report(
        asset=asset,
        tracks=tuple(
            track_rows(
                stream,
                covered,
                decoded_media(measured.detectors, stream),
            )
        ),
        findings=on_grid(findings, stream),
        verdicts=verdicts,
        curves=curves,
        detectors=described,
        timing={
            "wall_s": round(wall_s, 4),
            "realtime_factor": round(
                max(min(measured.covered_s, asset["duration_s"]), 0.0) / max(wall_s, 1e-6), 2
            ),
        },
        measurements=tuple(measured.measurements.values()) if keep_measurements else (),
        stream=stream.to_dict() if keep_measurements else None,
        facts=facts_of(stream, covered),
    )


def _artifact(name: str, artifacts: str | os.PathLike[str] | None) -> dict[str, str]:
    """Returns version and, where it is the user's own, SHA-256 of a detector's artifact."""
    read = tuned(name, artifacts)
    return {"version": read.version} | ({"artifact_sha256": read.sha256} if read.own else {})


def _covered_s(stream: StreamInfo, start_s: float | None, end_s: float | None) -> float:
    end = stream.duration_s if end_s is None else min(end_s, stream.duration_s)
    return end - (start_s or 0.0)
