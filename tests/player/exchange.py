"""Tables of measurements as Python and the player exchange them."""

from __future__ import annotations

import json
import math
import subprocess
from array import array
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from defectscope.detectors.registry import load_all
from defectscope.engine.contracts import Detector
from defectscope.findings import DetectorResult
from defectscope.measurements import Measurements, Table
from defectscope.media.stream import StreamInfo

TABLES = {"compression_blockiness": "buckets"}
# What the player does not measure, and what Python reads where nothing was measured.
NEUTRAL = {
    "freeze": {"alike": 0},
    "stutter": {"leap": 0, "way": 0},
    "color_error": {
        **{"shift_x": 0, "shift_y": 0, "shift_left": 255},
        **{"tone_change": 0, "tone_gain": 2048, "tone_lift": 0, "tone_left": 0},
    },
}


def detectors() -> dict[str, Detector]:
    """Returns the detectors whose decisions the player has."""
    names = ["black_frames", "freeze", "stutter", "compression_blockiness", "color_error"]
    loaded = {each.name: each for each in load_all(names)}
    stutter = loaded["stutter"]
    # Dips in one rhythm, as of film at 25 frames a second, are not looked for in players.
    limits = {**stutter.tuned.thresholds, "dip_ratio": -1.0}
    stutter.tuned = replace(stutter.tuned, thresholds=limits)
    return loaded


def columns_of(player: Path) -> dict[str, list[str]]:
    """Returns the columns of each detector in the order in which the player holds them."""
    sources = (player / "rust").glob("*.rs")
    found: dict[str, list[str]] = {}
    for source in sources:
        for line in source.read_text("utf-8").splitlines():
            if line.count("|") >= 4 and '"' in line:
                name, columns, *_ = line.split('"')[1].split("|")
                found[name] = columns.split()
    return found


def without_rest(measured: Measurements) -> Measurements:
    """Returns measurements in which what the player does not measure is empty."""
    name = TABLES.get(measured.detector, "frames")
    table = measured.tables[name]
    columns = dict(table.columns)
    for column, value in NEUTRAL.get(measured.detector, {}).items():
        kind = columns[column].typecode
        columns[column] = array(kind, [value] * len(columns[column]))
    # The closer look once a second is not taken in players.
    empty = {key: other.rows(0, 0) for key, other in measured.tables.items() if key != name}
    return replace(measured, tables={name: Table(table.ticks_hz, columns), **empty})


def line_of(measured: Measurements, stream: StreamInfo, columns: list[str]) -> str:
    """Writes a table as the line that test/decide.mjs reads."""
    assert stream.video is not None
    table = measured.tables[TABLES.get(measured.detector, "frames")]
    numerator, denominator = table.ticks_hz
    starts = np.frombuffer(table.anchors, np.int64) * (denominator / numerator)
    size_px = math.sqrt(stream.video.width * stream.video.height)
    rows = [
        [size_px if name == "size_px" else int(table.columns[name][i]) for name in columns]
        for i in range(len(starts))
    ]
    nominal_s = float(1 / stream.video.frame_rate)
    return json.dumps(
        {
            "detector": measured.detector,
            "nominal_s": nominal_s,
            "starts_s": starts.tolist(),
            "rows": rows,
        }
    )


def decided(player: Path, lines: list[str], engine: str) -> list[list[dict[str, Any]]]:
    """Returns what WebAssembly or JavaScript decides on each line."""
    ran = subprocess.run(
        ["node", "test/decide.mjs", engine],
        cwd=player,
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


def compare(result: DetectorResult, found: list[dict[str, Any]]) -> str:
    """Says how findings differ, but for the last place of rounded figures; empty if not at all."""
    expected = sorted(result.findings, key=lambda f: (f.start_s, f.end_s))
    found = sorted(found, key=lambda f: (f["start_s"], f["end_s"]))
    if len(expected) != len(found):
        return f"{len(expected)} findings in Python, {len(found)} in the player"
    for ours, theirs in zip(expected, found, strict=True):
        if abs(ours.start_s - theirs["start_s"]) > 1e-9 or abs(ours.end_s - theirs["end_s"]) > 1e-9:
            return f"{ours.start_s}-{ours.end_s} is {theirs['start_s']}-{theirs['end_s']}"
        if (
            ours.severity != theirs["severity"]
            or abs(ours.confidence - theirs["confidence"]) > 1.01e-4
        ):
            return f"{ours} is {theirs}"
        for key, value in theirs["evidence"].items():
            known = ours.evidence[key]
            same = (
                value == known
                if isinstance(value, str | bool)
                else abs(value - float(known)) <= 1.01e-2
            )
            if not same:
                return f"{key}: {known} is {value}"
    return ""


def spliced(real: list[Measurements], rng: np.random.Generator) -> Measurements:
    """Draws a table made of pieces of real ones, some of them stronger, weaker or still."""
    name = TABLES.get(real[0].detector, "frames")
    tables = [each.tables[name] for each in real]
    anchor, *others = tables[0].columns
    drawn: dict[str, list[int]] = {column: [] for column in others}
    for _ in range(int(rng.integers(1, 7))):
        table = tables[int(rng.integers(len(tables)))]
        first = int(rng.integers(0, len(table) - 1))
        last = first + int(rng.integers(1, 70))
        strength = float(rng.choice([1.0, 1.0, 1.0, 0.0, 0.3, 1.7]))
        for column in others:
            kind = np.dtype(_LIMITS[table.columns[column].typecode])
            limits = np.iinfo(kind)
            piece = np.array(table.columns[column][first:last], np.float64) * strength
            drawn[column] += np.clip(np.rint(piece), limits.min, limits.max).astype(int).tolist()
    count = len(drawn[others[0]])
    step = int(tables[0].anchors[1] - tables[0].anchors[0])
    columns = {anchor: array("q", (40 * step + step * np.arange(count)).tolist())}
    for column in others:
        columns[column] = array(tables[0].columns[column].typecode, drawn[column])
    return replace(real[0], tables={**real[0].tables, name: Table(tables[0].ticks_hz, columns)})


_LIMITS = {"b": np.int8, "B": np.uint8, "h": np.int16, "H": np.uint16}
