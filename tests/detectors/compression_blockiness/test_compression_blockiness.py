"""Compression blockiness: grids of any phase and scale are found, lines and drawings are not."""

from __future__ import annotations

from array import array
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from defectscope.analysis import MeasuredAsset, analyze, measure_asset
from defectscope.detectors import load
from defectscope.detectors.compression_blockiness.grid import PERIODS_PX, comb, grid
from defectscope.findings import Interval
from defectscope.measurements import Table
from defectscope.media import open_media
from defectscope.media.encoding import VideoEncoding
from defectscope.media.writer import write_clip
from defectscope.simulate.effects.arrays import impair_frames, video_stream
from defectscope.simulate.registry import simulators
from defectscope.simulate.synthetic.hard_negatives import hard_negative
from defectscope.simulate.synthetic.material import Footage

CLEAN = list(Footage(seed=3, frames=100))
STREAM = video_stream(320, 180, len(CLEAN))
MIDDLE = Interval(1.0, 3.0)


def coded(
    quantizer: int,
    offset_px: int = 0,
    scale: float = 1.0,
    span: Interval | None = MIDDLE,
) -> list[object]:
    frames, _ = impair_frames(
        simulators()["compression_blockiness"],
        CLEAN,
        STREAM,
        span=span,
        seed=4,
        overrides={
            "codec": "mpeg2video",
            "quantizer": quantizer,
            "gop_frames": 1,
            "scale": scale,
            "offset_x_px": offset_px,
            "offset_y_px": offset_px,
        },
    )
    return frames


@pytest.mark.parametrize("offset", [0, 3])
def test_blocks_are_found_at_any_phase(offset: int, analyze_frames) -> None:
    (found,) = analyze_frames("compression_blockiness", coded(24, offset), STREAM).findings
    assert (found.start_s, found.end_s) == pytest.approx((1.0, 3.0), abs=0.21)
    assert found.evidence["block_px"] == 8.0


def test_blocks_of_a_smaller_frame_are_found_larger(analyze_frames) -> None:
    (found,) = analyze_frames("compression_blockiness", coded(24, scale=0.5), STREAM).findings
    assert found.evidence["block_px"] == 16.0


@pytest.fixture(scope="module")
def throughout(tmp_path_factory: pytest.TempPathFactory) -> MeasuredAsset:
    """Blocks from end to end: no other part of the programme tells of them."""
    return measured(tmp_path_factory.mktemp("blocks") / "blocks.mkv", coded(31, span=None))


def seconds_found(asset: MeasuredAsset, looks: Table) -> float:
    """Returns for how long blocks are found if looks had been these, seconds."""
    (detector,), measured = asset.detectors, asset.measurements["compression_blockiness"]
    changed = replace(measured, tables={**measured.tables, "looks": looks})
    return sum(f.end_s - f.start_s for f in detector.decide(changed, asset.stream).findings)


@pytest.mark.parametrize(("stretched", "found_s"), [(1.0, 4.0), (4.5, 4.0), (7.0, 0.0)])
def test_a_grid_wider_than_any_block_is_none(
    stretched: float, found_s: float, throughout: MeasuredAsset
) -> None:
    looks = throughout.measurements["compression_blockiness"].tables["looks"]
    wider = array("f", [px * stretched for px in looks.columns["block_px"]])
    columns = {**looks.columns, "block_px": wider}
    assert seconds_found(throughout, replace(looks, columns=columns)) == pytest.approx(found_s)


def measured(path: Path, frames: list[object]) -> MeasuredAsset:
    write_clip(path, frames=frames, video=VideoEncoding(320, 180, Fraction(25), crf=6))
    with open_media(path) as reader:
        return measure_asset(reader, [load("compression_blockiness")])


@pytest.mark.parametrize(
    ("low_steps", "clean_looks", "found"),
    [(False, False, 1), (True, False, 1), (False, True, 1), (True, True, 0)],
)
def test_a_grid_of_low_steps_that_no_look_confirms_is_not_seen(
    low_steps: bool, clean_looks: bool, found: int, tmp_path: Path
) -> None:
    asset = measured(tmp_path / "blocks.mkv", coded(31))
    (detector,), blocks = asset.detectors, asset.measurements["compression_blockiness"]
    tables = dict(blocks.tables)
    if low_steps:
        columns = tables["buckets"].columns
        # A third of a code; 256 steps are one.
        lower = array("H", [min(step, 85) for step in columns["height"]])
        tables["buckets"] = replace(tables["buckets"], columns={**columns, "height": lower})
    if clean_looks:
        other = measured(tmp_path / "clean.mkv", CLEAN)
        tables["looks"] = other.measurements["compression_blockiness"].tables["looks"]
    decided = detector.decide(replace(blocks, tables=tables), asset.stream)
    assert len(decided.findings) == found


def test_a_clean_clip_passes(analyze_frames) -> None:
    assert analyze_frames("compression_blockiness", CLEAN, STREAM).verdict == "pass"


def test_pixel_art_stays_silent(tmp_path: Path) -> None:
    path = tmp_path / "twin.mkv"
    hard_negative("pixel_art").write(path, seed=2)
    assert not analyze(path, detectors=["compression_blockiness"]).findings


def test_severity_follows_the_strength_of_the_grid(analyze_frames) -> None:
    order = ("minor", "major", "critical")
    (mild,) = analyze_frames("compression_blockiness", coded(14), STREAM).findings
    (strong,) = analyze_frames("compression_blockiness", coded(31), STREAM).findings
    assert mild.evidence["grid_strength"] < strong.evidence["grid_strength"]
    assert order.index(mild.severity) <= order.index(strong.severity)
    assert strong.severity != "minor"


@pytest.mark.parametrize("period", [8.0, 32 / 3, 16.0])
def test_a_comb_is_told_by_its_period(period: float) -> None:
    rng = np.random.default_rng(1)
    profile = rng.uniform(0.9, 1.1, 960)
    profile[np.rint(np.arange(3, 955, period)).astype(int)] += 2.0
    (strength,), (clarity,) = comb(profile[None])
    assert PERIODS_PX[np.argmax(strength)] == pytest.approx(period)
    assert clarity.max() > 12


def test_a_comb_in_one_direction_only_is_no_grid() -> None:
    rng = np.random.default_rng(1)
    fence, plain = rng.uniform(0.9, 1.1, (1, 960)), rng.uniform(0.9, 1.1, (1, 540))
    fence[:, ::8] += 2.0
    assert grid(fence, fence)[0][0] > 1.0
    assert grid(fence, plain)[0][0] < 0.2
    assert grid(np.zeros((1, 960)), plain)[0][0] == 0.0


def test_grids_measured_together_and_alone_are_the_same_to_the_bit() -> None:
    rng = np.random.default_rng(3)
    columns, rows = rng.uniform(0, 9, (13, 1280)), rng.uniform(0, 9, (13, 719))
    together = np.array(grid(columns, rows))
    alone = [grid(columns[k : k + 1], rows[k : k + 1]) for k in range(13)]
    assert np.array_equal(together, np.array(alone)[:, :, 0].T)
