"""Python, WebAssembly and JavaScript decide alike on the same measurements."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import clips
import exchange
import numpy as np
import pytest

from defectscope.engine.engine import measure
from defectscope.measurements import Measurements
from defectscope.media.limits import Limits
from defectscope.media.opening import open_media
from defectscope.media.source import resolve
from defectscope.media.stream import StreamInfo

MADE_UP = 250
ENGINES = ("wasm", "javascript")


def _turned(frames: list[clips.Planes]) -> None:
    """Turns every hue by 60 degrees, as a subcarrier out of phase does."""
    for _, u, v in frames[clips.FIRST : clips.LAST]:
        du, dv = u.astype(np.float32) - 128, v.astype(np.float32) - 128
        u[:] = np.clip(np.rint(128 + 0.5 * du - 0.866 * dv), 0, 255)
        v[:] = np.clip(np.rint(128 + 0.866 * du + 0.5 * dv), 0, 255)


def _gained(frames: list[clips.Planes]) -> None:
    """Stretches luma and colour by a fifth about black."""
    for planes in frames[clips.FIRST : clips.LAST]:
        for plane, about in zip(planes, (16, 128, 128), strict=True):
            stretched = about + 1.2 * (plane.astype(np.float32) - about)
            plane[:] = np.clip(np.rint(stretched), 0, 255)


MADE_HERE = {"turned": _turned, "gained": _gained}


@pytest.fixture(scope="module")
def exchanged(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Measurements], StreamInfo]:
    """Measurements of real clips and of made-up tables, and a stream they may be of."""
    folder = tmp_path_factory.mktemp("exchange")
    detectors = exchange.detectors()
    measured: list[Measurements] = []
    clean = list(clips.scene(seed=9, frames=clips.FRAMES, width=320, height=180))
    stream = None
    for name in ("black", "freeze", "stutter", "cast", "illegal_range", "blockiness", *MADE_HERE):
        frames = [[plane.copy() for plane in planes] for planes in clean]
        (MADE_HERE.get(name) or clips.FAULTS[name][0])(frames)
        clips.write(folder / f"{name}.mp4", frames)
        with open_media(resolve(folder / f"{name}.mp4"), limits=Limits()) as reader:
            stream = reader.info
            found = measure(reader, tuple(detectors.values()))
            # What is made here are faults of colour: the other detectors have their own clips.
            told = ("color_error",) if name in MADE_HERE else tuple(detectors)
            measured += [found[detector] for detector in told]
    assert stream is not None
    rng = np.random.default_rng(3)
    for name in detectors:
        real = [each for each in measured if each.detector == name]
        measured += [exchange.spliced(real, rng) for _ in range(MADE_UP)]
    return measured, stream


@pytest.mark.parametrize("engine", ENGINES)
def test_they_decide_alike(
    engine: str, exchanged: tuple[list[Measurements], StreamInfo], player: Path
) -> None:
    measured, stream = exchanged
    detectors = exchange.detectors()
    columns = exchange.columns_of(player)
    tables = [exchange.without_rest(each) for each in measured]
    lines = [exchange.line_of(each, stream, columns[each.detector]) for each in tables]
    answers = exchange.decided(player, lines, engine)
    findings = dict.fromkeys(detectors, 0)
    complaints: list[str] = []
    for index, (table, answer) in enumerate(zip(tables, answers, strict=True)):
        without_end = stream if table.detector != "compression_blockiness" else _endless(stream)
        result = detectors[table.detector].decide(table, without_end)
        findings[table.detector] += len(result.findings)
        if complaint := exchange.compare(result, answer):
            complaints.append(f"{table.detector} {index}: {complaint}")
    assert complaints == []
    # The comparison is worth something only where there is something to find.
    assert min(findings.values()) >= 15, findings


def _endless(stream: StreamInfo) -> StreamInfo:
    """Returns a stream whose end nobody knows, as in a player."""
    return replace(stream, video_duration_s=None)
