"""The search for motion gives the integers of its NumPy reference, whatever the frames."""

from __future__ import annotations

import threading

import motion_reference
import numpy as np
import pytest
from numpy.typing import NDArray

from defectscope.errors import ArtifactError
from defectscope.features.motion_kernel import MotionKernel, motion_kernel

Planes = tuple[NDArray[np.int16], NDArray[np.int16], NDArray[np.int16]]


def _levels(luma: NDArray[np.int64]) -> Planes:
    def halved(plane: NDArray[np.int64]) -> NDArray[np.int64]:
        rows = plane[::2] + plane[1::2]
        return (rows[:, ::2] + rows[:, 1::2] + 2) >> 2

    half = halved(luma)
    quarter = halved(half)
    return tuple(each.astype(np.int16) for each in (half, quarter, halved(quarter)))  # type: ignore[return-value]


def _pair(kind: str, height: int, width: int, seed: int) -> tuple[Planes, Planes]:
    random = np.random.default_rng(seed)
    if kind == "noise":
        return tuple(_levels(random.integers(0, 2041, (height, width))) for _ in "ab")  # type: ignore[return-value]
    if kind == "flat":
        return tuple(_levels(np.full((height, width), code)) for code in (0, 2040))  # type: ignore[return-value]
    coarse = random.integers(0, 2041, (height // 8 + 16, width // 8 + 16))
    scene = coarse.repeat(8, 0).repeat(8, 1)
    dy, dx = random.integers(-40, 41, 2)
    now, other = (
        scene[50 + y : 50 + y + height, 50 + x : 50 + x + width] for y, x in ((0, 0), (dy, dx))
    )
    grain = random.integers(-16, 17, (height, width))
    return _levels(now), _levels(np.clip(other + grain, 0, 2040))


@pytest.mark.parametrize("kind", ["scene", "noise", "flat"])
@pytest.mark.parametrize(
    "size", [(16, 16), (16, 72), (88, 24), (64, 64), (104, 200), (176, 320), (360, 640)]
)
def test_the_search_equals_its_reference(kind: str, size: tuple[int, int]) -> None:
    for seed in range(1 if size[0] > 300 else 6):
        now, other = _pair(kind, *size, seed)
        found = motion_kernel(*now[0].shape).search(now, other)
        wanted = motion_reference.search(now, other)
        for mine, theirs in zip(found, wanted, strict=True):
            assert np.array_equal(mine, theirs)
            assert mine.dtype == theirs.dtype


def test_results_are_the_callers_own_and_each_thread_has_its_search() -> None:
    now, other = _pair("scene", 64, 64, 1)
    kernel = motion_kernel(32, 32)
    first = kernel.search(now, other)
    kept = first[0].copy()
    kernel.search(other, now)
    assert np.array_equal(first[0], kept)
    others: list[MotionKernel] = []
    thread = threading.Thread(target=lambda: others.append(motion_kernel(32, 32)))
    thread.start()
    thread.join()
    assert others[0] is not kernel
    assert motion_kernel(32, 32) is kernel


def test_frames_of_other_sizes_are_refused() -> None:
    kernel = MotionKernel(6, 8)
    planes = [np.zeros((6 >> k, 8 >> k), np.int16) for k in range(3)]
    with pytest.raises(ArtifactError, match="refuses"):
        kernel.search(planes, planes)
