"""Times the per-frame measures: the kernel beside OpenCV and NumPy, and beside copying the frame.

    python benchmarks/kernel.py [--media FILE] [--rounds N] [--markdown]

Every time is the least of many rounds, taken in turns in one run, since other work on the machine
can only add to it. Without --media the frames are made up: a drifting ramp, edges and grain.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from defectscope.features import FEATURES, PlaneGeometry
from defectscope.features.catalogue import CHANGED_CODE, DARK_CODES, Group
from defectscope.features.extractor import Extractor
from defectscope.features.geometry import tile_columns, tile_rows
from defectscope.features.kernel import WasmExtractor
from defectscope.features.reference import NumpyExtractor

FRAMES = 6
SPINE = Group.LUMA | Group.TEMPORAL
EVERYTHING = Group((1 << len(Group)) - 1)


@dataclass
class Plane:
    """A plane as the media layer hands it over."""

    data: NDArray[Any]
    width: int
    height: int


def made_up_frames(width: int, height: int, depth: int) -> list[list[Plane]]:
    """Returns frames of 4:2:0 with structure, motion and grain."""
    rng = np.random.default_rng(7)
    highest = (1 << depth) - 1
    dtype = np.uint8 if depth == 8 else np.uint16

    def plane(w: int, h: int, index: int) -> Plane:
        y, x = np.mgrid[:h, :w]
        image = 0.3 + 0.2 * np.sin((x + 5 * index) / 70) + 0.2 * (y > h / 2 + x / 8)
        image = image * highest + rng.normal(0, 1.5, (h, w)) * (highest / 255)
        return Plane(np.clip(image, 0, highest).astype(dtype), w, h)

    halves = (-(-width // 2), -(-height // 2))
    return [[plane(width, height, i), plane(*halves, i), plane(*halves, i)] for i in range(FRAMES)]


def media_frames(path: str) -> tuple[list[list[Plane]], PlaneGeometry]:
    """Returns the first frames of a file in 8-bit 4:2:0."""
    import av

    frames: list[list[Plane]] = []
    with av.open(path) as container:
        for frame in container.decode(video=0):
            image = frame.reformat(format="yuv420p")
            planes = [
                Plane(
                    np.frombuffer(memoryview(p), np.uint8).reshape(p.height, p.line_size),
                    p.width,
                    p.height,
                )
                for p in image.planes
            ]
            frames.append([Plane(p.data.copy(), p.width, p.height) for p in planes])
            if len(frames) == FRAMES:
                break
    luma, chroma = frames[0][0], frames[0][1]
    return frames, PlaneGeometry(luma.width, luma.height, chroma.width, chroma.height, 8)


class OpenCvSpine:
    """The measures of levels and changes with OpenCV, as well as one writes them by hand."""

    def __init__(self, geometry: PlaneGeometry) -> None:
        self._previous: NDArray[Any] | None = None
        self._down = tile_rows(geometry.height)[:-1]
        self._across = tile_columns(geometry.width)[:-1]

    def _tiles(self, samples: NDArray[Any]) -> NDArray[Any]:
        # Sums along columns first, in OpenCV: what is left for NumPy is a few thousand numbers.
        rows = [
            cv2.reduce(samples[a:b], 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0]
            for a, b in zip(self._down, [*self._down[1:], len(samples)], strict=True)
        ]
        return np.add.reduceat(np.stack(rows), self._across, axis=1)

    def measure(self, planes: list[Plane]) -> dict[str, Any]:
        """Returns the 8-bit spine measures of the next frame."""
        luma = planes[0].data[:, : planes[0].width]
        values: dict[str, Any] = {
            "row_luma": cv2.reduce(luma, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[:, 0],
            # NumPy's, since OpenCV 5.0's took 24 ms for them.
            "row_min": luma.min(axis=1),
            "row_max": luma.max(axis=1),
            "dark_counts": [
                luma.size - cv2.countNonZero(cv2.threshold(luma, code, 1, cv2.THRESH_BINARY)[1])
                for code in DARK_CODES
            ],
            "tile_luma": self._tiles(luma),
        }
        values["luma_sum"] = int(values["row_luma"].sum())
        if self._previous is not None:
            change = cv2.absdiff(luma, self._previous)
            changed = cv2.threshold(change, CHANGED_CODE - 1, 1, cv2.THRESH_BINARY)[1]
            values["row_sad"] = cv2.reduce(change, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[:, 0]
            values["sad"] = int(values["row_sad"].sum())
            values["changed_count"] = cv2.countNonZero(changed)
            values["tile_sad"] = self._tiles(change)
        self._previous = luma
        return values


def names_of(groups: Group) -> list[str]:
    """Returns the names of all features of these groups."""
    return [feature.name for feature in FEATURES if feature.group & groups]


def least_times_ms(contenders: dict[str, Callable[[int], object]], rounds: int) -> dict[str, float]:
    """Runs the contenders in turn on every frame; returns their least times."""
    least = dict.fromkeys(contenders, float("inf"))
    for index in range(rounds):
        for name, contender in contenders.items():
            begin = time.perf_counter()
            contender(index % FRAMES)
            least[name] = min(least[name], time.perf_counter() - begin)
    return {name: 1e3 * seconds for name, seconds in least.items()}


def assert_equal(geometry: PlaneGeometry, frames: list[list[Plane]]) -> None:
    """Checks that the contenders measure the same things."""
    wasm, opencv = WasmExtractor(geometry, names_of(SPINE)), OpenCvSpine(geometry)
    for planes in frames:
        ours, theirs = wasm.measure(planes), opencv.measure(planes)
        for name, value in theirs.items():
            np.testing.assert_array_equal(ours[name], value, err_msg=name)


def into_record(extractor: Extractor, frames: list[list[Plane]]) -> Callable[[int], object]:
    """Returns a contender that measures the n-th frame into a record."""
    record = np.empty(extractor.layout.words, np.uint32)
    return lambda index: extractor.measure_into(frames[index], record)


def compare(geometry: PlaneGeometry, frames: list[list[Plane]], rounds: int) -> dict[str, float]:
    """Times everything for one kind of video; in ms."""
    copies = [np.empty_like(plane.data) for plane in frames[0]]

    def copy(index: int) -> None:
        for mine, plane in zip(copies, frames[index], strict=True):
            np.copyto(mine, plane.data)

    def kernel(groups: Group) -> Callable[[int], object]:
        return into_record(WasmExtractor(geometry, names_of(groups)), frames)

    fast: dict[str, Callable[[int], object]] = {
        "copy of the frame": copy,
        "kernel, no group": kernel(Group(0)),
        "kernel, levels and changes": kernel(SPINE),
        "kernel, every group": kernel(EVERYTHING),
    }
    for group in Group:
        fast[f"kernel, {group.name} alone"] = kernel(group)
    if geometry.bit_depth == 8:
        assert_equal(geometry, frames)
        opencv = OpenCvSpine(geometry)
        fast["OpenCV, levels and changes"] = lambda index: opencv.measure(frames[index])
    slow = {
        "NumPy, levels and changes": into_record(NumpyExtractor(geometry, names_of(SPINE)), frames),
        "NumPy, every group": into_record(NumpyExtractor(geometry, names_of(EVERYTHING)), frames),
    }
    return least_times_ms(fast, rounds) | least_times_ms(slow, 6)


def main() -> None:
    """Prints the table for one kind of frame after another."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--media", help="take the frames from this file as well")
    parser.add_argument("--rounds", type=int, default=150)
    parser.add_argument("--markdown", action="store_true", help="print tables for docs/results")
    arguments = parser.parse_args()

    kinds = [(1920, 1080, 8), (1920, 1080, 10), (3840, 2160, 8), (1280, 720, 8)]
    cv2.setNumThreads(1)
    cases: list[tuple[str, PlaneGeometry, list[list[Plane]]]] = []
    for width, height, depth in kinds:
        geometry = PlaneGeometry(width, height, width // 2, height // 2, depth)
        frames = made_up_frames(width, height, depth)
        cases.append((f"{width} x {height}, {depth} bit, made up", geometry, frames))
    if arguments.media:
        frames, geometry = media_frames(arguments.media)
        name = f"{geometry.width} x {geometry.height}, 8 bit, from a file"
        cases.append((name, geometry, frames))

    for title, geometry, frames in cases:
        times = compare(geometry, frames, arguments.rounds)
        copy_ms = times["copy of the frame"]
        head = ("what", "ms", "copies")
        print(f"\n### {title}\n" if arguments.markdown else f"\n{title}")
        if arguments.markdown:
            print(f"| {' | '.join(head)} |\n|---|---|---|")
        for name, ms in times.items():
            if arguments.markdown:
                print(f"| {name} | {ms:.3f} | {ms / copy_ms:.1f} |")
            else:
                print(f"  {name:36} {ms:9.3f} ms  {ms / copy_ms:8.1f} copies")


if __name__ == "__main__":
    main()
