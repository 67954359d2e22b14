"""Counts what block_corruption reports in clean recordings, as they are and as they are delivered.

    python benchmarks/block_clean.py --media FOLDER [--media FOLDER ...] --work WORK
        [--renditions 1] [--pattern '*'] [--skip a,b]

Each recording is decided whole as it is, and in renditions drawn by a checksum of its name: scaled
to 240, 480, 720 or 1080 lines, letterboxed, cut upright, at 15 or 60 frames a second, with a logo
and a banner; all of them encoded anew. Nothing in them is damaged, so every finding is false. What
was measured is kept in WORK: a run that was cut off goes on. Prints a table by rendition and every
finding at `normal`.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from PIL import Image, ImageDraw
from recordings import SUFFIXES

from defectscope.detectors import load
from defectscope.detectors.block_corruption.params import SENSITIVITIES
from defectscope.errors import DefectscopeError
from defectscope.training.block_corruption.programmes import NAME, evaluate
from defectscope.training.scores import poisson_upper

AS_IT_IS = "as it is"
# Seconds of a rendition.
LONGEST_S = 15.0
# Bits a sample and frame, as delivery at 480 lines and 1.5 Mbit/s has them.
_BITS = 1_500_000 / (854 * 480 * 25)
Picture = Any


def _scaled(lines: int) -> Callable[[Picture], Picture]:
    def apply(picture: Picture) -> Picture:
        wide = round(picture.width * lines / picture.height / 2) * 2
        return picture.resize((wide, lines), Image.Resampling.BICUBIC)

    return apply


def _letterboxed(picture: Picture) -> Picture:
    out = Image.new("RGB", picture.size)
    high = picture.height * 3 // 4
    small = picture.crop((0, picture.height // 8, picture.width, picture.height // 8 + high))
    out.paste(small, (0, picture.height // 8))
    return out


def _upright(picture: Picture) -> Picture:
    wide = picture.height * 9 // 16 // 2 * 2
    left = max(picture.width - wide, 0) // 2
    return picture.crop((left, 0, left + min(wide, picture.width), picture.height))


def _marked(picture: Picture) -> Picture:
    out = picture.copy()
    draw = ImageDraw.Draw(out)
    wide, high = picture.size
    draw.rectangle((wide * 0.06, high * 0.78, wide * 0.7, high * 0.92), fill=(18, 40, 110))
    draw.text((wide * 0.09, high * 0.82), "NEWS AT TEN: all trains run again", fill=(255, 255, 255))
    draw.ellipse((wide * 0.88, high * 0.05, wide * 0.95, high * 0.05 + wide * 0.07), fill="white")
    return out


# How a picture is changed, and the frames a second that are shown, 0 as many as there are.
RENDITIONS: dict[str, tuple[Callable[[Picture], Picture], int]] = {
    "240 lines": (_scaled(240), 0),
    "480 lines": (_scaled(480), 0),
    "720 lines": (_scaled(720), 0),
    "1080 lines": (_scaled(1080), 0),
    "letterboxed": (_letterboxed, 0),
    "upright": (_upright, 0),
    "15 fps": (lambda picture: picture, 15),
    "60 fps": (lambda picture: picture, 60),
    "logo and banner": (_marked, 0),
}


def rendered(source: Path, name: str, folder: Path) -> Path:
    """Encodes a rendition of a recording, unless that was done before."""
    target = folder / f"{source.stem}.{name.replace(' ', '-')}.mp4"
    if target.exists():
        return target
    apply, rate = RENDITIONS[name]
    part = folder / f".{target.name}"
    with av.open(str(source)) as read, av.open(str(part), "w", "mp4") as out:
        video = read.streams.video[0]
        own = video.average_rate or Fraction(25)
        shown: Any = None
        count = 0
        for at_s, frame in _until(read, video, LONGEST_S):
            picture = apply(frame.to_image())
            if shown is None:
                wide, high = (n // 2 * 2 for n in picture.size)
                shown = out.add_stream("libx264", rate=rate or own, options={"preset": "veryfast"})
                shown.width, shown.height, shown.pix_fmt = wide, high, "yuv420p"
                shown.bit_rate = round(_BITS * wide * high * float(rate or own))
            even = np.asarray(picture)[: shown.height, : shown.width]
            # A frame is shown again, or not at all, until the next one is due.
            due = count + 1 if not rate else max(round(at_s * rate) + 1, 1)
            while count < due:
                coded = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), "rgb24")
                coded.pts = count
                coded.time_base = 1 / Fraction(rate or own)
                out.mux(shown.encode(coded))
                count += 1
        if shown is not None:
            out.mux(shown.encode(None))
    part.rename(target)
    return target


def _until(read: Any, video: Any, longest_s: float) -> Iterator[tuple[float, Any]]:
    """Yields a recording's frames with their seconds, counted from the first."""
    begins_s = 0.0
    for number, frame in enumerate(read.decode(video)):
        at_s = float(frame.time or 0.0)
        begins_s = begins_s if number else at_s
        if at_s - begins_s > longest_s:
            return
        yield at_s - begins_s, frame


def drawn(name: str, count: int) -> list[str]:
    """Returns the renditions of a recording: neighbours in the list, from a place of its own."""
    names = list(RENDITIONS)
    first = zlib.crc32(name.encode()) % len(names)
    return [names[(first + k * 4) % len(names)] for k in range(min(count, len(names)))]


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the count; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--media", type=Path, action="append", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--renditions", type=int, default=1, help="of each recording")
    parser.add_argument("--pattern", default="*")
    parser.add_argument("--skip", default="", help="comma-separated file names")
    parser.add_argument("--measured-only", action="store_true", help="count what lies in WORK")
    options = parser.parse_args(argv)
    options.work.mkdir(parents=True, exist_ok=True)
    skipped = set(options.skip.split(","))
    paths = sorted(
        (p for m in options.media for p in m.rglob(options.pattern)
         if p.suffix.lower() in SUFFIXES and p.name not in skipped),
        key=lambda p: zlib.crc32(p.name.encode()),
    )  # fmt: skip
    found: list[tuple[str, str, Any, Any]] = []
    for path in paths:
        for kind in [AS_IT_IS, *drawn(path.name, options.renditions)]:
            note = options.work / f"{path.name}.{kind.replace(' ', '-')}.done"
            if options.measured_only and not note.exists():
                continue
            try:
                shown = path if kind == AS_IT_IS else rendered(path, kind, options.work)
                found.append((kind, path.name, *evaluate(shown, options.work)))
            except (DefectscopeError, av.error.FFmpegError, IndexError) as error:
                print(f"{path.name}, {kind}: {error}", file=sys.stderr)
                continue
            note.touch()
            print(kind, path.name, file=sys.stderr, flush=True)
    print(table(found))
    return 0


def table(found: Sequence[tuple[str, str, Any, Any]]) -> str:
    """Returns false findings by rendition and sensitivity, and each of them at `normal`."""
    detector: Any = load(NAME)
    false: dict[tuple[str, str], int] = defaultdict(int)
    minutes: dict[str, float] = defaultdict(float)
    count: dict[str, int] = defaultdict(int)
    listed: list[str] = []
    for sensitivity in SENSITIVITIES:
        offset = detector.tuned.thresholds[f"{sensitivity}_sensitivity"]
        thresholds = {**detector.tuned.thresholds, "normal_sensitivity": offset}
        tuned = dataclasses.replace(detector.tuned, thresholds=thresholds)
        decides = type(detector)(tuned=tuned)
        for kind, name, measured, stream in found:
            said = decides.decide(measured, stream).findings
            for each in (kind, "all"):
                false[each, sensitivity] += len(said)
            if sensitivity == "normal":
                for each in (kind, "all"):
                    minutes[each] += stream.duration_s / 60
                    count[each] += 1
                listed += [
                    f"- {name}, {kind}: {f.start_s:.2f} to {f.end_s:.2f} s, {f.confidence:.2f}"
                    for f in said
                ]
    heads = " | ".join(SENSITIVITIES)
    out = [
        f"| rendition | recordings | minutes | {heads} | normal, in 10 min | 95 % bound |",
        "|---|---|---|" + "---|" * (len(SENSITIVITIES) + 2),
    ]
    for kind in [k for k in (AS_IT_IS, *RENDITIONS, "all") if count[k]]:
        own = false[kind, "normal"]
        rate, upper = (n / minutes[kind] * 10 for n in (own, poisson_upper(own)))
        cells = " | ".join(str(false[kind, s]) for s in SENSITIVITIES)
        out.append(
            f"| {kind} | {count[kind]} | {minutes[kind]:.1f} | {cells} | {rate:.2f} | {upper:.2f} |"
        )
    return "\n".join([*out, "", *sorted(listed)])


if __name__ == "__main__":
    sys.exit(main())
