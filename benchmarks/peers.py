"""ffmpeg's own detectors on a clip, through PyAV's filter graph, as events and scores.

Every filter runs with its defaults. What it writes into the frames' metadata is read as it is
meant: events where it reports a start and an end, a highest one-second mean where it reports a
measure for each frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import av
from av.filter import Graph

from defectscope.findings import Interval


@dataclass(frozen=True)
class Peer:
    """A filter of ffmpeg and how its metadata is read.

    Attributes:
        defect: The simulator whose clips it is asked about.
        chain: The filter with its defaults.
        read: How: `ends` (a start and an end), `flag` (a word for each frame), `level` (a number
            for each frame), `above` (the same, with events where it is high), `loudness` (the
            last integrated value).
        keys: The metadata that is read.
    """

    defect: str
    chain: str
    read: str
    keys: tuple[str, ...]


PEERS = (
    Peer("black_frames", "blackdetect", "ends", ("lavfi.black_start", "lavfi.black_end")),
    Peer(
        "freeze",
        "freezedetect",
        "ends",
        ("lavfi.freezedetect.freeze_start", "lavfi.freezedetect.freeze_end"),
    ),
    Peer("interlacing", "idet", "flag", ("lavfi.idet.multiple.current_frame",)),
    Peer("compression_blockiness", "blockdetect", "level", ("lavfi.block",)),
    Peer("blur", "blurdetect", "level", ("lavfi.blur",)),
    Peer("flicker", "photosensitivity", "above", ("lavfi.photosensitivity.badness",)),
    Peer("audio_dropout", "silencedetect", "ends", ("lavfi.silence_start", "lavfi.silence_end")),
    Peer(
        "phase_inversion",
        "aphasemeter=phasing=1:video=0",
        "ends",
        ("lavfi.aphasemeter.out_phase_start", "lavfi.aphasemeter.out_phase_end"),
    ),
    Peer("loudness", "ebur128=metadata=1", "loudness", ("lavfi.r128.I",)),
)
# idet calls these frames interlaced; `undetermined` neither starts nor ends an interval.
_FIELDS = {"tff", "bff"}
# From here on photosensitivity holds a frame back; it evaluates over one second.
_BADNESS = 1.0
_JOIN_S = 1.0


def ask(peer: Peer, path: Path) -> dict[str, Any]:
    """Returns a peer's events, `[start_s, end_s]` each, and its score for the clip."""
    rows = list(_rows(peer, path))
    end_s = rows[-1][1] if rows else 0.0
    if peer.read == "ends":
        events = _ends(rows, end_s)
        return {"events": events, "score": sum(e - s for s, e in events)}
    if peer.read == "flag":
        return _flags(rows)
    if peer.read == "above":
        levels = [(s, e, float(v[0] or 0.0)) for s, e, v in rows]
        return {
            "events": _runs([(s, e, level > _BADNESS) for s, e, level in levels], _JOIN_S),
            "score": max((level for _, _, level in levels), default=0.0),
        }
    if peer.read == "level":
        return {"events": [], "score": _second_mean(rows)}
    last = next((v[0] for _, _, v in reversed(rows) if v[0] is not None), None)
    return {"events": [], "score": None if last is None else float(last)}


def intervals(answer: Mapping[str, Any]) -> list[Interval]:
    """Returns a peer's events as intervals."""
    return [Interval(s, e) for s, e in answer["events"]]


Row = tuple[float, float, tuple[str | None, ...]]


def _rows(peer: Peer, path: Path) -> Iterator[Row]:
    """Returns start, end and metadata of every frame that leaves the filter."""
    with av.open(str(path)) as container:
        stream: Any = (container.streams.video or container.streams.audio)[0]
        stream.thread_type = "AUTO"
        graph = Graph()
        if stream.type == "video":
            source, sink = graph.add_buffer(template=stream), graph.add("buffersink")
        else:
            source, sink = graph.add_abuffer(template=stream), graph.add("abuffersink")
        name, _, options = peer.chain.partition("=")
        asked = graph.add(name, options) if options else graph.add(name)
        source.link_to(asked)
        asked.link_to(sink)
        graph.configure()
        first: float | None = None
        frames: Iterator[Any] = chain(container.decode(stream), (None,))
        for frame in frames:
            source.push(frame)
            while True:
                try:
                    out: Any = sink.pull()
                except (BlockingIOError, EOFError):
                    break
                time_s = float(out.pts * out.time_base)
                first = time_s if first is None else first
                length_s = float((out.duration or 0) * out.time_base)
                data = dict(out.metadata)
                start_s = time_s - first
                yield start_s, start_s + length_s, tuple(data.get(k) for k in peer.keys)


def _ends(rows: list[Row], end_s: float) -> list[tuple[float, float]]:
    events: list[tuple[float, float]] = []
    start_s: float | None = None
    for _, _, (start, end) in rows:
        if end is not None and start_s is not None:
            events.append((start_s, max(start_s, float(end))))
            start_s = None
        if start is not None:
            start_s = float(start)
    if start_s is not None:
        events.append((start_s, max(start_s, end_s)))
    return events


def _flags(rows: list[Row]) -> dict[str, Any]:
    settled = [(s, e, v[0] in _FIELDS) for s, e, v in rows if v[0] != "undetermined"]
    share = sum(flag for _, _, flag in settled) / max(1, len(rows))
    return {"events": _runs(settled), "score": share}


def _runs(flags: list[tuple[float, float, bool]], join_s: float = 0.0) -> list[tuple[float, float]]:
    """Joins frames that are flagged: neighbours, and those at most `join_s` apart."""
    runs: list[tuple[float, float]] = []
    last = -1
    for number, (start_s, end_s, flag) in enumerate(flags):
        if not flag:
            continue
        if runs and (last == number - 1 or start_s - runs[-1][1] <= join_s):
            runs[-1] = (runs[-1][0], end_s)
        else:
            runs.append((start_s, end_s))
        last = number
    return runs


def _second_mean(rows: list[Row]) -> float:
    """The highest mean over a second."""
    by_second: dict[int, list[float]] = {}
    for start_s, _, (value,) in rows:
        if value is not None:
            by_second.setdefault(int(start_s), []).append(float(value))
    return max((sum(v) / len(v) for v in by_second.values()), default=0.0)
