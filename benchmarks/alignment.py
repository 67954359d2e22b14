"""Tries the alignment on edited versions of recordings, and prints a table of what was exact.

    python benchmarks/alignment.py                       (a made-up film)
    python benchmarks/alignment.py --media a.mp4 b.mp4   (recordings)

A row is exact when the offset, every dropped and every doubled frame, and the kind and length of
every edit are those that were made.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
from edited_versions import Planes, Version, versions_of, write_version

from defectscope.compare.alignment import Alignment
from defectscope.compare.matching import align
from defectscope.compare.signature import read_signatures
from defectscope.errors import DefectscopeError
from defectscope.media import open_media
from defectscope.media.frames import Frame
from defectscope.media.main_tracks import main_frames
from defectscope.simulate.synthetic.material import Footage

FRAMES = 300


def film() -> tuple[list[Planes], Fraction]:
    """Returns a made-up film of four shots."""
    footage = Footage(seed=7, width=480, height=270, frames=FRAMES, cuts_s=(3.1, 6.4, 9.2))
    return [_planes(frame) for frame in footage], footage.rate


def recording(path: Path) -> tuple[list[Planes], Fraction]:
    """Returns the first frames of a recording, 8 bit."""
    frames: list[Planes] = []
    with open_media(path) as reader:
        assert reader.info.video is not None
        rate = Fraction(reader.info.video.frame_rate).limit_denominator(1001)
        frames += [_planes(frame) for frame in islice(main_frames(reader), FRAMES)]
    return frames, rate


def _planes(frame: Frame) -> Planes:
    def copied(k: int) -> np.ndarray:
        plane = frame.planes[k].pixels >> (frame.bit_depth - 8)
        even = plane[: plane.shape[0] // 2 * 2, : plane.shape[1] // 2 * 2] if k == 0 else plane
        return even.astype(np.uint8)

    luma = copied(0)
    chroma = [copied(k)[: luma.shape[0] // 2, : luma.shape[1] // 2] for k in (1, 2)]
    return luma, chroma[0], chroma[1]


def wrong(version: Version, found: Alignment) -> str:
    """Returns what differs from the truth; empty where nothing does."""
    differences: list[str] = []
    if found.offset_frames != version.offset_frames:
        differences.append(f"offset {found.offset_frames}, not {version.offset_frames}")
    if found.rate_conversion != version.conversion:
        differences.append(f"rate conversion {found.rate_conversion}")
    for name, have, want in (
        ("dropped", found.dropped, version.dropped),
        ("doubled", found.doubled, version.doubled),
    ):
        if tuple(sorted(have)) != want:
            differences.append(f"{name} {sorted(have)[:8]}, not {want}")
    edits = tuple((edit.kind, edit.frames) for edit in found.edits)
    if edits != version.edits:
        differences.append(f"edits {edits[:4]}, not {version.edits}")
    return "; ".join(differences)


def tried(name: str, frames: Sequence[Planes], rate: Fraction, folder: Path) -> tuple[int, int]:
    """Prints a row per version; returns how many were exact, of how many."""
    base_path = folder / "base.mp4"
    whole = versions_of(len(frames))
    write_version(whole[0], frames, base_path, rate)
    with open_media(base_path) as reader:
        base = read_signatures(reader)
    exact = 0
    for version in whole:
        path = folder / "candidate.mp4"
        write_version(version, frames, path, rate)
        with open_media(path) as reader:
            candidate = read_signatures(reader)
        began = time.perf_counter()
        try:
            differences = wrong(version, align(base, candidate))
        except DefectscopeError as error:
            differences = error.message
        took = time.perf_counter() - began
        exact += not differences
        print(f"| {name} | {version.name} | {differences or 'exact'} | {took:.2f} s |", flush=True)
    return exact, len(whole)


def main() -> None:
    """Runs the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", nargs="*", type=Path, default=[], help="recordings to edit")
    arguments = parser.parse_args()
    print("| title | version | found | time |\n|---|---|---|---|")
    total = count = 0
    sources = [(p.stem, p) for p in arguments.media] or [("made-up film", None)]
    for name, path in sources:
        frames, rate = film() if path is None else recording(path)
        if len(frames) < 200:
            print(f"| {name} | - | only {len(frames)} frames: left out | |")
            continue
        with tempfile.TemporaryDirectory() as folder:
            exact, tries = tried(name, frames, rate, Path(folder))
        total, count = total + exact, count + tries
    print(f"\nexact: {total} of {count}")


if __name__ == "__main__":
    main()
