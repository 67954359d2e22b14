"""The invariants of the design, over every released detector: one suite, no exceptions by name."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from defectscope.analysis import analyze, merge
from defectscope.detectors import load, names
from defectscope.engine import measure
from defectscope.findings import Measurements, Report
from defectscope.media import open_media

# Recursive filters and the decoders' pre-roll: what state can differ by after the context.
FLOAT_TOLERANCE = 2e-4
DURATION_S = 12.0
MAX_BYTES_PER_MINUTE = 64 * 1024


def measured(path: Path, name: str, edges: Iterable[float | None], **how: int) -> Measurements:
    """Measures a clip in segments between edges and joins them."""
    cuts = list(edges)
    parts: list[Measurements] = []
    for start_s, end_s in pairwise(cuts):
        with open_media(path) as reader:
            found = measure(reader, [load(name)], start_s=start_s, end_s=end_s, **how)
            if name not in found:
                pytest.skip(f"{name} needs media that this clip lacks")
            parts.append(found[name])
    return Measurements.join(parts)


def assert_same(one: Measurements, other: Measurements, tolerance: float) -> None:
    assert set(one.tables) == set(other.tables)
    for key, table in one.tables.items():
        twin = other.tables[key]
        assert list(table.anchors) == list(twin.anchors), key
        for column, values in table.columns.items():
            a, b = np.asarray(values, float), np.asarray(twin.columns[column], float)
            if values.typecode in "fd":
                assert np.allclose(a, b, rtol=tolerance, atol=tolerance), (key, column)
            else:
                # A quantised column may round the other way where its input is a float.
                assert np.max(np.abs(a - b), initial=0) <= (1 if tolerance else 0), (key, column)


class OnePass(dict[str, Measurements]):
    """Measurements of the whole clip in one pass, made when first asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __missing__(self, name: str) -> Measurements:
        self[name] = measured(self._path, name, (None, None))
        return self[name]


@pytest.fixture(scope="module")
def whole(impaired_clip: Path) -> OnePass:
    return OnePass(impaired_clip)


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("chunk_frames", [1, 7])
def test_chunking_changes_nothing(
    name: str, chunk_frames: int, impaired_clip: Path, whole: OnePass
) -> None:
    chunked = measured(impaired_clip, name, (None, None), chunk_frames=chunk_frames)
    assert_same(chunked, whole[name], 0.0)


@pytest.mark.parametrize("name", names())
def test_segments_join_to_one_pass(name: str, impaired_clip: Path, whole: OnePass) -> None:
    rng = random.Random(name)
    exact = "audio" not in load(name).needs.media
    for pieces in (2, 4):
        inner = sorted(round(rng.uniform(0.3, DURATION_S - 0.3), 3) for _ in range(pieces - 1))
        joined = measured(impaired_clip, name, (None, *inner, None))
        assert_same(joined, whole[name], 0.0 if exact else FLOAT_TOLERANCE)


@pytest.mark.parametrize("name", names())
def test_measurements_are_compact_and_survive_json(name: str, whole: OnePass) -> None:
    text = json.dumps(whole[name].to_dict())
    assert len(text) <= MAX_BYTES_PER_MINUTE * max(1.0, DURATION_S / 60)
    assert_same(Measurements.from_dict(json.loads(text)), whole[name], 0.0)


@pytest.mark.parametrize("name", names())
def test_deciding_is_pure(name: str, impaired_clip: Path, whole: OnePass) -> None:
    detector = load(name)
    with open_media(impaired_clip) as reader:
        first = detector.decide(whole[name], reader.info)
        assert detector.decide(whole[name], reader.info) == first
        assert all(f.detector == name and f.defect in detector.defects for f in first.findings)


def test_merging_segment_reports_gives_the_findings_of_one_pass(impaired_clip: Path) -> None:
    one = analyze(impaired_clip)
    parts = [
        analyze(impaired_clip, start_s=a, end_s=b, measurements=True).to_dict()
        for a, b in ((None, 3.3), (3.3, 5.7), (5.7, None))
    ]
    joined = merge(json.loads(json.dumps(parts)))
    assert [(f.defect, f.start_s, f.end_s) for f in joined.findings] == [
        (f.defect, f.start_s, f.end_s) for f in one.findings
    ]
    assert {k: v["verdict"] for k, v in joined.verdicts.items()} == {
        k: v["verdict"] for k, v in one.verdicts.items()
    }


def test_the_spine_defects_are_found_with_their_ends(impaired_clip: Path) -> None:
    report: Report = analyze(
        impaired_clip, detectors=["black_frames", "freeze", "audio_dropout", "stream_integrity"]
    )
    found = {f.defect: (f.start_s, f.end_s) for f in report.findings}
    assert len(report.findings) == len(found) == 3
    assert found["black_frames"] == pytest.approx((2.0, 2.6), abs=0.04)
    assert found["freeze"] == pytest.approx((5.0, 6.2), abs=0.04)
    assert found["audio_dropout"] == pytest.approx((8.0, 8.4), abs=0.02)


@pytest.mark.slow
def test_workers_change_nothing(impaired_clip: Path) -> None:
    spine = ["black_frames", "freeze", "audio_dropout", "loudness", "stream_integrity"]
    one = analyze(impaired_clip, detectors=spine)
    two = analyze(impaired_clip, detectors=spine, workers=2)
    assert [(f.defect, f.start_frame, f.end_frame) for f in two.findings] == [
        (f.defect, f.start_frame, f.end_frame) for f in one.findings
    ]
