"""Kept measurements as titles to review: parted by recording, reported, answered from the truth."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import audio_steps
import numpy as np

from defectscope.detectors.audio_artifacts.analysis import COLUMNS, WINDOWS_HZ
from defectscope.detectors.audio_artifacts.detector import AudioArtifacts
from defectscope.detectors.audio_artifacts.network import CLASSES
from defectscope.findings import Report
from defectscope.learning.anchored import Example, present
from defectscope.learning.items import ReviewItem
from defectscope.learning.labels import Label
from defectscope.measurements import Measurements, Table
from defectscope.media.stream import AudioInfo, StreamInfo
from defectscope.training.audio_artifacts.measured import Piece

STEPS = {"measure": "audio_steps_measured_on.npz", "choose": "audio_steps_chosen_on.npz"}
_HERE = Path(__file__).parent
_RATE_HZ = 32000


@dataclass(frozen=True, slots=True)
class Title:
    """A piece as a title: its truth, and what the detector measured."""

    name: str
    piece: Piece
    measurements: Measurements
    stream: StreamInfo


def pieces(kind: str) -> list[Piece]:
    """Returns the kept pieces of a kind in `STEPS`."""
    return audio_steps.read(_HERE / STEPS[kind])


def read_titles(kind: str) -> list[Title]:
    """Returns the titles: those with a defect made in other ways, and clean ones."""
    return [title_of(f"{k:05d}", piece) for k, piece in enumerate(pieces(kind))]


def parted(titles: Sequence[Title], seed: int, share: float) -> tuple[list[Title], list[Title]]:
    """Returns titles to label and titles held out; all pieces of a recording go the same way.

    Args:
        titles: All.
        seed: Of the parting.
        share: Of titles to label that have a defect; more of them are left out.
    """
    names = sorted({t.piece.name for t in titles})
    order = np.random.default_rng([7, seed]).permutation(len(names))
    pool = {names[int(k)] for k in order[: len(names) // 2]}
    own = [t for t in titles if t.piece.name in pool]
    clean = [t for t in own if not t.piece.defect]
    impaired = [t for t in own if t.piece.defect]
    kept = min(len(impaired), round(len(clean) * share / (1 - share)))
    return clean + impaired[:kept], [t for t in titles if t.piece.name not in pool]


def title_of(name: str, piece: Piece) -> Title:
    """Returns a piece as a title."""
    anchors = array("q", np.rint(piece.starts_s * WINDOWS_HZ).astype(np.int64).tolist())
    columns = {"window": anchors} | {
        c: array("h", piece.columns[c].astype(np.int16).tolist()) for c in COLUMNS
    }
    audio = AudioInfo(_RATE_HZ, ("FC",), "mono", "pcm_s16le")
    stream = StreamInfo(name, "wav", piece.seconds, None, audio)
    measured = Measurements("audio_artifacts", {"windows": Table((WINDOWS_HZ, 1), columns)})
    return Title(name, piece, measured, stream)


def report_of(title: Title, detector: AudioArtifacts, version: str) -> Report:
    """Returns the report that a detector gives of a title, with measurements."""
    result = detector.decide(title.measurements, title.stream)
    return Report(
        asset={"uri": title.name, "duration_s": title.piece.seconds},
        findings=result.findings,
        verdicts={},
        curves={"audio_artifacts": result.curves},
        detectors={"audio_artifacts": {"version": version, "parameters": {}}},
        timing={},
        measurements=(title.measurements,),
    )


def answer(item: ReviewItem, piece: Piece, flipped: bool) -> Label | None:
    """Returns what a reviewer who knows the truth says; None for what is too faint to be sure."""
    over = [e for e in piece.joined_events() if e.intersection_s(item.interval) > 0]
    heard = [e for e in over if piece.is_audible(e)]
    if over and not heard:
        return None
    present = piece.defect if heard else ""
    if flipped:
        present = "" if present else item.defect or CLASSES[0]
    return Label(
        item.id, "true" if present else "false", present, item.start_s, item.end_s,
        "truth", "2026-11-29T00:00:00.000+00:00", item.version, "truth",
    )  # fmt: skip


def example_of(item: ReviewItem, label: Label, title: Title) -> Example:
    """Returns what an answer teaches."""
    return Example(title.measurements, item.interval, present(item, label, CLASSES), label.trust)
