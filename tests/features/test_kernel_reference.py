"""The kernel and the NumPy reference give the same integers, whatever the frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from defectscope.features.catalogue import FEATURES, Group
from defectscope.features.geometry import PlaneGeometry, sampled_rows
from defectscope.features.kernel import WasmExtractor
from defectscope.features.reference import NumpyExtractor

ALL = [feature.name for feature in FEATURES]


@dataclass
class Plane:
    data: NDArray[Any]
    width: int
    height: int


def planes_of(
    geometry: PlaneGeometry, fill: Callable[[tuple[int, int]], NDArray[Any]], padding: int = 0
) -> list[Plane]:
    dtype = np.uint8 if geometry.bit_depth == 8 else np.uint16
    sizes = [(geometry.width, geometry.height)]
    if geometry.chroma_width:
        sizes += [(geometry.chroma_width, geometry.chroma_height)] * 2
    planes: list[Plane] = []
    for width, height in sizes:
        data = fill((height, width + padding)).astype(dtype)
        data.flags.writeable = False
        planes.append(Plane(data, width, height))
    return planes


def smooth(rng: np.random.Generator, shape: tuple[int, int], highest: int) -> NDArray[Any]:
    """Ramps with small steps, edges and a little noise: what random noise never contains."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    ramp = x * rng.uniform(-0.3, 0.3) + y * rng.uniform(-0.3, 0.3) + highest * rng.uniform(0.1, 0.9)
    ramp += np.where(x > rng.integers(0, shape[1] + 1), rng.integers(-9, 9), 0)
    ramp += rng.integers(0, 2) * rng.normal(0, 1, shape) * (y > shape[0] // 2)
    return np.clip(ramp, 0, highest)


def assert_equal_records(
    geometry: PlaneGeometry, frames: list[list[Plane]], names: list[str] = ALL
) -> None:
    wasm, reference = WasmExtractor(geometry, names), NumpyExtractor(geometry, names)
    for index, planes in enumerate(frames):
        ours, theirs = wasm.measure(planes), reference.measure(planes)
        assert ours.keys() == theirs.keys() == set(names)
        for name in names:
            same = np.array_equal(ours[name], theirs[name])
            assert same, f"{name} of frame {index} of {geometry}: {ours[name]} {theirs[name]}"


def random_geometry(rng: np.random.Generator) -> PlaneGeometry:
    width, height = int(rng.integers(1, 90)), int(rng.integers(1, 70))
    if rng.random() < 0.2:
        width = int(rng.integers(1, 2200))
    if rng.random() < 0.2:
        height = int(rng.integers(1, 700))
    across, down = [(2, 2), (2, 1), (1, 1), (4, 1), (0, 0)][rng.integers(5)]
    chroma = (-(-width // across), -(-height // down)) if across else (0, 0)
    return PlaneGeometry(width, height, *chroma, bit_depth=int(rng.choice([8, 8, 9, 10, 12])))


@pytest.mark.parametrize("seed", range(240))
def test_random_frames(seed: int) -> None:
    rng = np.random.default_rng(seed)
    geometry = random_geometry(rng)
    highest = (1 << geometry.bit_depth) - 1

    def fill(shape: tuple[int, int]) -> NDArray[Any]:
        if seed % 2:
            return smooth(rng, shape, highest)
        # Some samples lie above the highest code, as broken streams have them.
        bits = 8 if geometry.bit_depth == 8 else int(rng.choice([geometry.bit_depth, 16]))
        return rng.integers(0, 1 << bits, shape)

    padding = int(rng.integers(0, 40))
    assert_equal_records(geometry, [planes_of(geometry, fill, padding) for _ in range(3)])


@pytest.mark.parametrize("group", list(Group), ids=lambda group: group.name)
@pytest.mark.parametrize("depth", [8, 10])
def test_one_group_alone(group: Group, depth: int) -> None:
    geometry = PlaneGeometry(333, 290, 167, 145, depth)
    rng = np.random.default_rng(depth)
    names = [feature.name for feature in FEATURES if feature.group == group]
    frames = [planes_of(geometry, lambda s: smooth(rng, s, (1 << depth) - 1)) for _ in range(2)]
    assert_equal_records(geometry, frames, names)


@pytest.mark.parametrize("depth", [8, 10, 12])
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (2500, 1), (16, 16), (17, 9), (640, 257)])
def test_extremes(size: tuple[int, int], depth: int) -> None:
    geometry = PlaneGeometry(*size, *size, depth)
    highest = (1 << depth) - 1

    def checkers(shape: tuple[int, int]) -> NDArray[Any]:
        return highest * (np.indices(shape).sum(axis=0) % 2)

    def stripes(shape: tuple[int, int]) -> NDArray[Any]:
        return highest * (np.indices(shape)[0] % 2)

    fills: list[Callable[[tuple[int, int]], NDArray[Any]]] = [
        np.zeros,
        lambda s: np.full(s, highest),
        checkers,
        lambda s: highest - checkers(s),
    ]
    assert_equal_records(geometry, [planes_of(geometry, f) for f in [*fills, stripes]])


@pytest.mark.slow
@pytest.mark.parametrize("depth", [8, 12])
def test_long_counters_hold_the_greatest_frame(depth: int) -> None:
    geometry = PlaneGeometry(8192, 4096, 4096, 2048, depth)
    highest = (1 << depth) - 1
    white = planes_of(geometry, lambda s: np.full(s, highest))
    stripes = planes_of(geometry, lambda s: np.broadcast_to(np.arange(s[1]) % 2 * highest, s))
    names = [
        feature.name
        for feature in FEATURES
        if feature.group & (Group.LUMA | Group.TEMPORAL | Group.CHROMA | Group.SHARPNESS)
    ]
    wasm = WasmExtractor(geometry, names)
    first = wasm.measure(white)
    assert first["luma_sum"] == 8192 * 4096 * highest
    assert np.sum(first["tile_luma"], dtype=np.uint64) == 8192 * 4096 * highest
    assert first["has_previous"] == 0
    second = wasm.measure(stripes)
    assert second["sad"] == 8192 * 4096 // 2 * highest
    sampled = len(sampled_rows(8192, 4096, below=4)) * 8188 * highest**2
    assert np.sum(second["tile_dx1_squares"]) == sampled


def test_the_kernel_lists_its_record_as_the_catalogue_does() -> None:
    import wasmtime

    from defectscope.features.kernel import load_kernel

    store = wasmtime.Store()
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, load_kernel()), [])
    exports: Any = instance.exports(store)
    at, length = exports["layout"](store), exports["layout_bytes"](store)
    text = bytes(exports["memory"].read(store, at, at + length)).decode("ascii")
    counts = {"scalar": "1", "tiles": "96", "rows": "h", "columns": "w"}
    expected = [
        f"{feature.name} {feature.group.value.bit_length() - 1} "
        f"{counts[feature.extent] if isinstance(feature.extent, str) else np.prod(feature.extent)} "
        f"{8 if feature.wide else 4}"
        for feature in FEATURES
    ]
    assert text.split("\n") == expected
