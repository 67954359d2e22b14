"""What extractors promise beyond the numbers: state, batches, geometry, the released kernel."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import wasmtime
from numpy.typing import NDArray

from defectscope.errors import ArtifactError, InvalidParameterError
from defectscope.features import FEATURES, Batch, PlaneGeometry, open_extractor
from defectscope.features.catalogue import Group, groups_of, layout_of
from defectscope.features.fast_call import fast_call
from defectscope.features.geometry import sampled_columns, sampled_rows, tile_samples
from defectscope.features.kernel import load_kernel

GEOMETRY = PlaneGeometry(150, 70, 75, 35, 8)
ALL = [feature.name for feature in FEATURES]


def frame(seed: int, geometry: PlaneGeometry = GEOMETRY) -> list[Any]:
    rng = np.random.default_rng(seed)
    chroma = (geometry.chroma_width, geometry.chroma_height)
    sizes = [(geometry.width, geometry.height), chroma, chroma]
    return [
        SimpleNamespace(data=rng.integers(0, 256, (h, w), np.uint8), width=w, height=h)
        for w, h in sizes
        if w
    ]


def measured(extractor: Any, frames: list[list[Any]]) -> dict[str, NDArray[Any]]:
    batch = Batch(extractor, len(frames))
    for planes in frames:
        batch.add(planes)
    return batch.features()


def test_cutting_a_stream_into_batches_changes_nothing() -> None:
    frames = [frame(seed) for seed in range(9)]
    whole = measured(open_extractor(GEOMETRY, ALL), frames)
    extractor = open_extractor(GEOMETRY, ALL)
    parts = [measured(extractor, frames[a:b]) for a, b in [(0, 1), (1, 4), (4, 9)]]
    for name in ALL:
        np.testing.assert_array_equal(whole[name], np.concatenate([p[name] for p in parts]), name)
    assert whole["has_previous"].tolist() == [0] + [1] * 8


def test_an_equal_frame_has_no_difference() -> None:
    extractor = open_extractor(GEOMETRY, ["sad", "changed_count", "tile_sad"])
    extractor.measure(frame(1))
    again = extractor.measure(frame(1))
    assert again["sad"] == 0
    assert again["changed_count"] == 0
    assert not np.any(again["tile_sad"])


def test_reset_forgets_the_frame_before() -> None:
    extractor = open_extractor(GEOMETRY, ["has_previous", "sad"])
    extractor.measure(frame(1))
    extractor.reset()
    assert extractor.measure(frame(2)) == {"has_previous": 0, "sad": 0}


def test_reset_takes_another_size() -> None:
    extractor = open_extractor(GEOMETRY, ALL)
    extractor.measure(frame(1))
    larger = PlaneGeometry(2000, 1100, 1000, 550, 8)
    extractor.reset(larger)
    fresh = open_extractor(larger, ALL)
    for seed in (2, 3):
        ours, theirs = extractor.measure(frame(seed, larger)), fresh.measure(frame(seed, larger))
        for name in ALL:
            np.testing.assert_array_equal(ours[name], theirs[name], name)


def test_a_batch_holds_one_geometry_and_so_many_frames() -> None:
    extractor = open_extractor(GEOMETRY, ["sad"])
    batch = Batch(extractor, 1)
    batch.add(frame(1))
    assert batch.is_full
    with pytest.raises(InvalidParameterError, match="full"):
        batch.add(frame(2))
    batch = Batch(extractor, 2)
    extractor.reset(PlaneGeometry(16, 16, 8, 8, 8))
    with pytest.raises(InvalidParameterError, match="one geometry"):
        batch.add(frame(1))


def test_prows_of_another_size_or_depth_are_refused() -> None:
    extractor = open_extractor(GEOMETRY, ["sad"])
    with pytest.raises(InvalidParameterError, match="not what"):
        extractor.measure(frame(1, PlaneGeometry(152, 70, 76, 35, 8)))
    planes = frame(1)
    planes[0].data = planes[0].data.astype(np.uint16)
    with pytest.raises(InvalidParameterError, match="uint16"):
        extractor.measure(planes)
    with pytest.raises(InvalidParameterError, match="planes are needed"):
        open_extractor(GEOMETRY, ["chroma_sums"]).measure(frame(1)[:1])


def test_chroma_may_be_left_out_where_nothing_needs_it() -> None:
    assert open_extractor(GEOMETRY, ["luma_max"]).measure(frame(1)[:1])["luma_max"] == 255


def test_grey_frames_have_chroma_features_of_zero() -> None:
    geometry = PlaneGeometry(150, 70, 0, 0, 8)
    values = open_extractor(geometry, ALL).measure(frame(1, geometry))
    assert not np.any(values["chroma_histogram"])
    assert not np.any(values["chroma_extremes"])


@pytest.mark.parametrize(
    "sizes", [(0, 1, 0, 0, 8), (1, 70_000, 0, 0, 8), (9000, 9000, 0, 0, 8), (9, 9, 0, 0, 16)]
)
def test_frames_beyond_the_limits_are_refused(sizes: tuple[int, int, int, int, int]) -> None:
    with pytest.raises(InvalidParameterError, match="cannot measure"):
        PlaneGeometry(*sizes)


def test_unknown_features_are_refused() -> None:
    with pytest.raises(InvalidParameterError, match="glitter"):
        open_extractor(GEOMETRY, ["sad", "glitter"])


def test_the_record_holds_only_the_groups_asked_for() -> None:
    layout = layout_of(GEOMETRY, groups_of(["sad"]))
    assert {place.feature.group for place in layout.places.values()} == {Group.TEMPORAL}
    assert all(place.start % 2 == 0 for place in layout.places.values())


def test_another_kernel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kernel.wasm").write_bytes(b"\0asm")
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_kernel(tmp_path)
    (tmp_path / "kernel.wasm.sha256").write_text("0" * 64 + "  kernel.wasm\n")
    found = hashlib.sha256(b"\0asm").hexdigest()
    with pytest.raises(ArtifactError, match=f"{found}.*{'0' * 64}"):
        load_kernel(tmp_path)


@pytest.mark.parametrize("size", [(150, 70), (1, 1), (1920, 1080), (31, 500)])
def test_tile_samples_turn_sums_into_means(size: tuple[int, int]) -> None:
    width, height = size
    geometry = PlaneGeometry(*size, *size, 8)
    data = np.full((height, width), 200, np.uint8)
    planes: list[Any] = [SimpleNamespace(data=data, width=width, height=height)] * 3
    values = open_extractor(geometry, ALL).measure(planes)
    every = tile_samples(*size, every=True)
    assert every.sum() == width * height
    np.testing.assert_array_equal(values["tile_luma"], 200 * every)
    np.testing.assert_array_equal(values["tile_sampled_luma"], 200 * tile_samples(*size))
    np.testing.assert_array_equal(values["tile_u"], 200 * tile_samples(*size))
    flats = tile_samples(*size, margin=9) + tile_samples(*size, above=4, below=5)
    np.testing.assert_array_equal(values["tile_flats"], flats)


@pytest.mark.parametrize(
    ("size", "rows"), [((1920, 1080), 37), ((320, 240), 80), ((160, 120), 120), ((1, 1), 1)]
)
def test_sampled_rows_meet_both_fields_and_all_block_phases(
    size: tuple[int, int], rows: int
) -> None:
    sampled = sampled_rows(*size)
    assert len(sampled) == rows
    if rows > 8:
        assert set(sampled % 2) == {0, 1}
        assert set(sampled % 8) == set(range(8))


def test_at_most_256_rows_are_sampled_whatever_the_size() -> None:
    # Sums of columns are kept in 16 bits: 256 x 255 is what they hold.
    for width in (1, 16, 640, 1920, 65_536):
        for height in range(1, 1025):
            assert 1 <= len(sampled_rows(width, height)) <= 256
    assert len(sampled_rows(16, 65_536)) <= 256


def test_at_most_64_blocks_of_columns_are_seen() -> None:
    assert all(len(sampled_columns(width)) <= 64 * 16 for width in [*range(1, 2000), 4096, 65_536])


def exported(text: str) -> tuple[Any, wasmtime.Store]:
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    instance = wasmtime.Instance(store, wasmtime.Module(engine, text), [])
    return instance.exports(store)["f"], store


def test_the_fast_call_gives_way_to_the_public_one(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """(module (func (export "f") (param i32) (result i32)
        (i32.add (local.get 0) (i32.const 1))))"""
    function, store = exported(text)
    assert fast_call(function, store, 41)() == 42
    monkeypatch.delattr("wasmtime._ffi.wasmtime_func_call")
    call = fast_call(function, store, 41)
    monkeypatch.undo()
    assert call.__name__ == "public_call"
    assert call() == 42


def test_a_trap_is_an_exception() -> None:
    text = '(module (func (export "f") (param i32) (result i32) unreachable))'
    function, store = exported(text)
    with pytest.raises(wasmtime.Trap):
        fast_call(function, store, 0)()
