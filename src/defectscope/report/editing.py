"""Findings as markers for editors: EDL (Resolve), Final Cut 7 XML (Premiere), Avid's lists."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from xml.etree import ElementTree

from defectscope.errors import InvalidParameterError
from defectscope.findings import SEVERITIES, Finding, Report
from defectscope.media.timecode import Timecode
from defectscope.report.text import base_name, clean

_COLOURS = {"critical": "RED", "major": "YELLOW", "minor": "CYAN"}
# Source: Final Cut Pro XML Interchange Format, element `color`: 8 bits a channel.
_RGB = {"critical": (255, 0, 0), "major": (255, 200, 0), "minor": (0, 180, 255)}
_PLAIN_COLOURS = {"RED": "Red", "YELLOW": "Yellow", "CYAN": "Cyan"}
# Rates whose timecode counts faster than real time. Source: SMPTE ST 12-1.
_FRACTIONAL = 1001
_MOST_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Marker:
    """One or more findings that begin on one frame."""

    start_frame: int
    frames: int
    timecode: str
    end_timecode: str
    severity: str
    text: str


@dataclass(frozen=True, slots=True)
class Marked:
    """An asset's frames, and the markers on them."""

    name: str
    rate: Fraction
    frames: int
    drop_frame: bool
    markers: list[Marker]


def marked(report: Report) -> Marked:
    """Returns the markers by frame; findings that begin on one frame share a marker.

    Raises:
        InvalidParameterError: Without frame there are no frames to mark.
    """
    video = report.asset.get("video")
    if not video:
        raise InvalidParameterError("markers need video: the report has no frame rate")
    rate = Fraction(str(video["frame_rate"]))
    frames = max(1, round(float(report.asset.get("duration_s", 0.0)) * rate))
    by_frame: dict[int, list[Finding]] = {}
    for finding in report.findings:
        if finding.start_frame is not None and finding.start_timecode is not None:
            by_frame.setdefault(finding.start_frame, []).append(finding)
    markers: list[Marker] = []
    for frame, found in sorted(by_frame.items()):
        worst = max(found, key=lambda f: SEVERITIES.index(f.severity))
        last = max(f.end_frame or frame + 1 for f in found)
        longest = max(found, key=lambda f: f.end_frame or 0)
        text = "; ".join(f"{f.severity} {f.defect.replace('_', ' ')}" for f in found)
        markers.append(
            Marker(
                frame,
                max(1, last - frame),
                clean(str(worst.start_timecode)).replace(".", ";"),
                clean(str(longest.end_timecode or worst.start_timecode)).replace(".", ";"),
                worst.severity,
                clean(text)[:_MOST_CHARACTERS],
            )
        )
    drop = any(";" in marker.timecode for marker in markers)
    name = base_name(str(report.asset.get("uri", "")))
    return Marked(name, rate, frames, drop, markers)


def start_timecode(report: Report) -> Timecode | None:
    """Returns the timecode of an asset's first frame; None where no finding has one."""
    for finding in report.findings:
        if finding.start_timecode is not None and finding.start_frame is not None:
            rate = Fraction(str(report.asset["video"]["frame_rate"]))
            return Timecode.parse(finding.start_timecode, rate) + -finding.start_frame
    return None


def edl(report: Report) -> str:
    """Returns a CMX 3600 list with a marker at each finding, as DaVinci Resolve imports them.

    Each event is one frame long; `|C`, `|M` and `|D` are Resolve's colour, name and length of a
    marker, `* LOC:` is what other editors read.
    """
    line = marked(report)
    out = [f"TITLE: {line.name}", f"FCM: {'' if line.drop_frame else 'NON-'}DROP FRAME", ""]
    for number, marker in enumerate(line.markers, 1):
        colour = _COLOURS[marker.severity]
        after = _next(marker.timecode, line.rate)
        out += [
            f"{number % 1000:03d}  AX       V     C        "
            f"{marker.timecode} {after} {marker.timecode} {after}",
            f"* LOC: {marker.timecode} {colour:<7} {marker.text}",
            f" |C:ResolveColor{_PLAIN_COLOURS[colour]} |M:{marker.text.replace('|', '/')} "
            f"|D:{marker.frames}",
            "",
        ]
    return "\n".join(out)


def _next(timecode: str, rate: Fraction) -> str:
    """The label of the following frame; dropped labels are not landed on by one step of 1."""
    separator = ";" if ";" in timecode else ":"
    hours, minutes, seconds, frames = (int(part) for part in timecode.replace(";", ":").split(":"))
    per_second = math.ceil(rate)
    frames += 1
    if frames == per_second:
        frames, seconds = 0, seconds + 1
    if seconds == 60:
        seconds, minutes = 0, minutes + 1
        if separator == ";" and minutes % 10:
            frames = 2 if per_second == 30 else 4
    if minutes == 60:
        minutes, hours = 0, (hours + 1) % 24
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{separator}{frames:02d}"


def final_cut_xml(report: Report) -> str:
    """Returns Final Cut 7 XML (xmeml 4): a sequence of the asset, markers over each finding."""
    line = marked(report)
    root = ElementTree.Element("xmeml", version="4")
    sequence = ElementTree.SubElement(root, "sequence", id="defectscope")
    _leaf(sequence, "name", line.name)
    _leaf(sequence, "duration", line.frames)
    _rate(sequence, line.rate)
    media = ElementTree.SubElement(sequence, "media")
    track = ElementTree.SubElement(ElementTree.SubElement(media, "video"), "track")
    clip = ElementTree.SubElement(track, "clipitem", id="asset")
    _leaf(clip, "name", line.name)
    _leaf(clip, "duration", line.frames)
    _rate(clip, line.rate)
    for name, value in (("start", 0), ("end", line.frames), ("in", 0), ("out", line.frames)):
        _leaf(clip, name, value)
    file = ElementTree.SubElement(clip, "file", id="file-1")
    _leaf(file, "name", line.name)
    _leaf(file, "pathurl", line.name)
    _rate(file, line.rate)
    _leaf(file, "duration", line.frames)
    ElementTree.SubElement(ElementTree.SubElement(file, "media"), "video")
    for marker in line.markers:
        entry = ElementTree.SubElement(sequence, "marker")
        _leaf(entry, "name", marker.text)
        _leaf(entry, "comment", f"{marker.timecode} to {marker.end_timecode}")
        _leaf(entry, "in", marker.start_frame)
        _leaf(entry, "out", marker.start_frame + marker.frames)
        colour = ElementTree.SubElement(entry, "color")
        for name, value in zip(("red", "green", "blue"), _RGB[marker.severity], strict=True):
            _leaf(colour, name, value)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, "unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n{text}\n'


def _leaf(parent: ElementTree.Element, name: str, value: object) -> None:
    ElementTree.SubElement(parent, name).text = str(value)


def _rate(parent: ElementTree.Element, rate: Fraction) -> None:
    entry = ElementTree.SubElement(parent, "rate")
    _leaf(entry, "timebase", math.ceil(rate))
    _leaf(entry, "ntsc", "TRUE" if rate.denominator == _FRACTIONAL else "FALSE")


def avid_locators(report: Report) -> str:
    """Returns the text that Avid Media Composer imports as markers: one line each, by tabs."""
    line = marked(report)
    return "".join(
        f"defectscope\t{m.timecode}\tV1\t{_COLOURS[m.severity].lower()}\t{m.text}\t{m.frames}\n"
        for m in line.markers
    )


def avid_log(report: Report) -> str:
    """Returns an Avid Log Exchange file: a subclip over each finding, its text as comment."""
    line = marked(report)
    fps = f"{float(line.rate):.3f}".rstrip("0").rstrip(".")
    head = [
        "Heading",
        "FIELD_DELIM\tTABS",
        f"VIDEO_FORMAT\t{_avid_format(report)}",
        f"FPS\t{fps}",
        "",
        "Column",
        "Name\tTracks\tStart\tEnd\tComments\tTape",
        "",
        "Data",
    ]
    return "\n".join([*head, *_log_lines(line)]) + "\n"


def _log_lines(line: Marked) -> Iterator[str]:
    for number, m in enumerate(line.markers, 1):
        yield f"{number:04d} {m.text}\tV\t{m.timecode}\t{m.end_timecode}\t{m.text}\t{line.name}"


def _avid_format(report: Report) -> str:
    height = int(report.asset["video"]["height"])
    return "1080" if height == 1080 else "720" if height == 720 else "CUSTOM"
