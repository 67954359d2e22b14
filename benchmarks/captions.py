"""Captions against real speech: delay, drift and missing captions, measured against what was made.

    python benchmarks/captions.py --speech FOLDER --music FOLDER [--programmes 6]

Recorded prompts of one speaker are strung together with pauses, bare or with music under them, and
captioned where they are spoken. Captions are then moved, stretched or taken out. Writes
docs/results/caption_quality_speech.json and prints the table that docs/results/caption_quality.md
quotes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from defectscope.detectors import load
from defectscope.engine.contracts import Chunk
from defectscope.findings import Finding, Interval
from defectscope.media.cues import Captions, Cue
from defectscope.media.frames import Samples
from defectscope.media.stream import AudioInfo, StreamInfo

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"
RATE_HZ = 16000
LENGTH_S = 300.0
Sound = NDArray[np.float32]
# Music under the speech, dB against it; None is room tone alone.
BEDS = (None, -25.0, -15.0)
OFFSETS_S = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)
DRIFTS_MS_PER_MIN = (-300.0, 100.0, 300.0)


def ordered(folder: Path) -> list[Path]:
    """Returns a folder's sound files in the order of their names' hashes."""
    files = [f for f in folder.rglob("*") if f.suffix in (".flac", ".ogg", ".wav")]
    return sorted(files, key=lambda f: hashlib.sha256(f.name.encode()).hexdigest())


def mono(path: Path) -> Sound:
    """Reads a file as mono at 16 kHz; rates that are no multiple are read by the nearest sample."""
    data, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    sound = data.mean(axis=1)
    if rate_hz != RATE_HZ:
        # The band of speech survives a mean over neighbours; nothing finer is asked of the bed.
        width = max(1, round(rate_hz / RATE_HZ))
        sound = np.convolve(sound, np.ones(width, np.float32) / width, "same")
        at = np.arange(int(len(sound) * RATE_HZ / rate_hz)) * rate_hz / RATE_HZ
        sound = sound[np.minimum(np.rint(at).astype(int), len(sound) - 1)]
    return sound.astype(np.float32)


def programme(
    number: int, speech: Sequence[Path], music: Sequence[Path], bed_db: float | None
) -> tuple[Sound, tuple[Cue, ...]]:
    """Strings prompts together: the sound, and a cue for each prompt that is worth one."""
    rng = np.random.default_rng(number)
    sound = (rng.standard_normal(round(LENGTH_S * RATE_HZ)) * 10 ** (-65 / 20)).astype(np.float32)
    cues: list[Cue] = []
    at_s, k = 1.0, number * 37
    levels: list[float] = []
    while at_s < LENGTH_S - 10:
        voice = mono(speech[k % len(speech)])[: RATE_HZ * 6]
        k += 1
        loud = np.flatnonzero(np.abs(voice) > 0.02)
        if not len(loud) or loud[-1] - loud[0] < 0.8 * RATE_HZ:
            continue
        voice = voice[loud[0] : loud[-1] + 1]
        first = round(at_s * RATE_HZ)
        sound[first : first + len(voice)] += voice
        levels.append(float(np.sqrt(np.mean(voice**2))))
        end_s = at_s + len(voice) / RATE_HZ
        # Captions are set by hand: a little early or late, and held a moment.
        shown = at_s + float(rng.uniform(-0.1, 0.1))
        cues.append(Cue(shown, end_s + float(rng.uniform(0.1, 0.4)), ("words",), len(cues) + 1))
        at_s = end_s + float(rng.uniform(0.6, 3.0))
    if bed_db is not None:
        bed = np.resize(mono(music[number % len(music)]), len(sound))
        level = float(np.sqrt(np.mean(bed**2))) + 1e-9
        sound += bed * np.float32(statistics.median(levels) * 10 ** (bed_db / 20) / level)
    return sound, tuple(cues)


class Captioned:
    """Measures a programme's sound once, and evaluates any captions against it."""

    def __init__(self, sound: Sound) -> None:
        audio = AudioInfo(RATE_HZ, ("FC",), "mono", "pcm_s16le")
        self._stream = StreamInfo("x", "wav", LENGTH_S, None, audio, has_captions=True)
        self._detector = load("caption_quality")
        analysis = self._detector.open(self._stream)
        analysis.push(Chunk(audio=(Samples(0, sound[:, None]),)))
        self._measured = analysis.close()

    def findings(self, cues: Sequence[Cue]) -> list[Finding]:
        """Returns what is wrong with the timing of some cues."""
        analysis = self._detector.open(self._stream)
        analysis.push(Chunk(captions=Captions("webvtt", tuple(cues))))
        tables = {**analysis.close().tables, "speech": self._measured.tables["speech"]}
        result = self._detector.decide(replace(self._measured, tables=tables), self._stream)
        return [f for f in result.findings if f.defect in ("caption_drift", "caption_missing")]


def moved(cues: Sequence[Cue], offset_s: float, drift_ms_per_min: float = 0.0) -> list[Cue]:
    """Returns cues late by an offset that grows."""
    share = 1 + drift_ms_per_min / 60_000
    return [
        replace(c, start_s=max(0.0, c.start_s * share + offset_s), end_s=c.end_s * share + offset_s)
        for c in cues
        if c.end_s * share + offset_s > 0.1
    ]


def measure(
    number: int, bed_db: float | None, captioned: Captioned, cues: Sequence[Cue]
) -> dict[str, Any]:
    """Evaluates one programme with its captions right, moved, stretched and with some taken out."""
    row: dict[str, Any] = {"programme": number, "bed_db": bed_db, "cues": len(cues)}
    row["false_findings"] = [(f.defect, f.start_s, f.end_s) for f in captioned.findings(cues)]
    row["offsets"] = []
    for offset_s in OFFSETS_S:
        found = [
            f for f in captioned.findings(moved(cues, offset_s)) if f.defect == "caption_drift"
        ]
        row["offsets"].append([offset_s, [f.evidence["offset_ms"] for f in found]])
    row["drifts"] = []
    for drift in DRIFTS_MS_PER_MIN:
        found = [
            f for f in captioned.findings(moved(cues, 0.0, drift)) if f.defect == "caption_drift"
        ]
        row["drifts"].append([drift, [f.evidence["drift_ms_per_min"] for f in found]])
    row["missing"] = []
    for first in range(4, len(cues) - 4, 8):
        gone = cues[first : first + 3]
        left = [c for c in cues if c not in gone]
        lost = Interval(gone[0].start_s, gone[-1].end_s)
        found = [f for f in captioned.findings(left) if f.defect == "caption_missing"]
        inside = [f for f in found if f.interval.intersection_s(lost) > 0]
        covered_s = sum(f.interval.intersection_s(lost) for f in inside)
        row["missing"].append([covered_s / lost.duration_s, len(found) - len(inside)])
    return row


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Returns the figures by bed as a table."""
    out = [
        "| under the speech | programmes | false findings, captions right | offsets found "
        "| offset error, ms (median / max) | drifts found | drift error, ms/min (median / max) "
        "| three captions taken out: found | and elsewhere |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for bed_db in BEDS:
        mine = [r for r in rows if r["bed_db"] == bed_db]
        offsets = [(o, f) for r in mine for o, f in r["offsets"]]
        apart = [abs(statistics.median(f) - 1000 * o) for o, f in offsets if f]
        drifts = [(d, f) for r in mine for d, f in r["drifts"]]
        slopes = [abs(statistics.median(f) - d) for d, f in drifts if f]
        gone = [m for r in mine for m in r["missing"]]
        out.append(
            f"| {'room tone' if bed_db is None else f'music at {bed_db:g} dB'} | {len(mine)} "
            f"| {sum(len(r['false_findings']) for r in mine)} | {len(apart)} of {len(offsets)} "
            f"| {_both(apart)} | {len(slopes)} of {len(drifts)} | {_both(slopes)} "
            f"| {sum(share >= 0.5 for share, _ in gone)} of {len(gone)} "
            f"| {sum(more for _, more in gone)} |"
        )
    return out


def _both(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.0f} / {max(values):.0f}" if values else "-"


def main() -> None:
    """Measures, prints the table and writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--music", type=Path, required=True)
    parser.add_argument("--programmes", type=int, default=4)
    arguments = parser.parse_args()
    speech, music = ordered(arguments.speech), ordered(arguments.music)
    rows = []
    for number in range(arguments.programmes):
        for bed_db in BEDS:
            sound, cues = programme(number, speech, music, bed_db)
            rows.append(measure(number, bed_db, Captioned(sound), cues))
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "caption_quality_speech.json").write_text(
        json.dumps({"commit": commit, "rows": rows}, indent=1) + "\n", "utf-8"
    )
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
