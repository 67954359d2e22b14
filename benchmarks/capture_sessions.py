"""Ten captured runs of a real browser, held against the page's own log.

    python benchmarks/capture_sessions.py WORK [--title FILE] [--detectors A,B] [--only N,N]

Chromium plays by ten plans on a screen of its own (benchmarks/reference_device.py); every frame
that it shows is logged by the page. What the capture shows is compared with that log: the first
frame, stalls, seeks, overlays and black, in captured frames; and every finding is given a cause.
One more run has a grabber that is made to stumble.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import reference_device
from reference_device import HEIGHT, TITLE_FPS, WIDTH, Device, Plan, device, make_title

from defectscope.capture.reading import SessionReading, read_captured
from defectscope.findings import Interval
from defectscope.media import open_media
from defectscope.media.frames import Frame, Plane
from defectscope.media.grabbing import Grab, GrabSpec, grab
from defectscope.media.main_tracks import main_frames

FRAME_S = float(1 / TITLE_FPS)
# A gap between two frames of the log that is a stall, as for what is measured.
LEAST_STALL_S = 0.25
PLANS = (
    Plan(0.2, 8.0, stalls=({"at_part": 3, "length_s": 0.5},)),
    Plan(1.0, 9.0, stalls=({"at_part": 2, "length_s": 1.0}, {"at_part": 4, "length_s": 2.0})),
    Plan(0.5, 8.0, seeks=({"after_s": 2.5, "to_s": 12.0}, {"after_s": 5.0, "to_s": 3.3})),
    Plan(2.0, 9.0, stalls=({"at_part": 4, "length_s": 3.0},)),
    Plan(0.4, 8.0, overlays=({"after_s": 1.5, "length_s": 1.5}, {"after_s": 5.0, "length_s": 1.0})),
    Plan(0.8, 8.0, blanks=({"after_s": 2.0, "length_s": 0.6}, {"after_s": 5.0, "length_s": 1.2})),
    Plan(
        1.5,
        10.0,
        stalls=({"at_part": 3, "length_s": 0.7},),
        seeks=({"after_s": 7.0, "to_s": 14.0},),
        overlays=({"after_s": 1.0, "length_s": 0.8},),
    ),
    Plan(
        0.3,
        9.0,
        stalls=(
            {"at_part": 2, "length_s": 0.6},
            {"at_part": 3, "length_s": 0.8},
            {"at_part": 4, "length_s": 1.5},
        ),
    ),
    Plan(
        1.2,
        10.0,
        stalls=({"at_part": 5, "length_s": 2.5},),
        overlays=({"after_s": 2.0, "length_s": 1.2},),
        blanks=({"after_s": 8.5, "length_s": 0.8},),
    ),
    # Nothing but a long launch: whatever is found here is the grabber's.
    Plan(2.5, 10.0),
)


@dataclass(frozen=True)
class Truth:
    """What the page's log says of a run, seconds of the capture."""

    first_s: float
    stalls: tuple[Interval, ...]
    seeks: tuple[tuple[float, float], ...]
    overlays: tuple[Interval, ...]
    black: tuple[Interval, ...]
    held: tuple[Interval, ...]


def truth_of(log: list[dict[str, Any]], began_at: float) -> Truth:
    """Returns what was shown when, from the frames that the page logged."""

    def when(name: str) -> list[float]:
        return [e["at_ms"] / 1000 - began_at for e in log if e["what"] == name]

    frames = [(e["at_ms"] / 1000 - began_at, e["media_s"]) for e in log if e["what"] == "frame"]
    asked = when("seek")
    seeks: list[tuple[float, float]] = []
    gaps: list[Interval] = []
    for (at_s, media_s), (next_s, next_media_s) in pairwise(frames):
        jumped = abs(next_media_s - media_s) > 1.0
        if jumped:
            own = [a for a in asked if a <= next_s]
            seeks.append((own[-1], next_s))
        elif next_s - at_s > 2 * FRAME_S:
            gaps.append(Interval(at_s + FRAME_S, next_s))
    spans = {
        name: tuple(
            Interval(a, b) for a, b in zip(when(f"{name}_on"), when(f"{name}_off"), strict=True)
        )
        for name in ("overlay", "blank")
    }
    return Truth(
        first_s=frames[0][0],
        stalls=tuple(g for g in gaps if g.duration_s >= LEAST_STALL_S),
        seeks=tuple(seeks),
        overlays=spans["overlay"],
        black=spans["blank"],
        held=tuple(g for g in gaps if g.duration_s < LEAST_STALL_S),
    )


def compared(truth: Truth, reading: SessionReading) -> dict[str, Any]:
    """Returns how far what was measured lies from what was shown, in captured frames."""
    capture_s = reading.health.resolution_s
    waits = reading.waits

    def ends(true: tuple[Interval, ...], seen: list[Interval]) -> dict[str, Any]:
        pairs = [
            (t, s)
            for t in true
            for s in seen
            if t.intersection_s(s) > 0.5 * min(t.duration_s, s.duration_s)
        ]
        return {
            "true": len(true),
            "found": len({t for t, _ in pairs}),
            "made_up": len(seen) - len({s for _, s in pairs}),
            "start": [round((s.start_s - t.start_s) / capture_s, 2) for t, s in pairs],
            "end": [round((s.end_s - t.end_s) / capture_s, 2) for t, s in pairs],
            "length_s": [[round(t.duration_s, 3), round(s.duration_s, 3)] for t, s in pairs],
        }

    shown = [jump.shown_s for jump in waits.jumps]
    return {
        "health": reading.health.to_dict() | {"bad": len(reading.health.bad)},
        "first_frame": round(((waits.first_frame_s or 0.0) - truth.first_s) / capture_s, 2),
        "stalls": ends(truth.stalls, [s.interval for s in waits.stalls]),
        "kinds": [s.kind for s in waits.stalls],
        "overlays": ends(truth.overlays, [o.interval for o in waits.overlays]),
        "black": ends(truth.black, list(waits.black)),
        "seeks": [
            None if seen is None else round((seen - at_s) / capture_s, 2)
            for (_, at_s), seen in zip(truth.seeks, shown, strict=False)
        ],
        "held_by_player": [[round(g.start_s, 3), round(g.duration_s, 3)] for g in truth.held],
        "held_seen": [[round(h.start_s, 3), round(h.duration_s, 3)] for h in waits.holds],
        "findings": {
            cause: sum(c == cause for _, c in reading.findings)
            for cause in sorted({c for _, c in reading.findings})
        },
        "of_device": [
            [f.detector, round(f.start_s, 2), round(f.end_s, 2), f.evidence.get("pattern", "")]
            for f in reading.of_device()
        ],
    }


def stumbling(spec: GrabSpec) -> Generator[Grab]:
    """Grabs as a machine does that is busy with something else: four pauses a second."""
    rng = random.Random(7)
    for capture in grab(spec):
        if rng.random() < 4 / float(spec.rate):
            time.sleep(rng.uniform(0.03, 0.15))
        yield capture


def title_frames(path: Path, seconds: float) -> Generator[Frame]:
    """Yields the frames of a recording at the device's size, a frame of the title each."""
    with open_media(path) as reader:
        for number, frame in enumerate(main_frames(reader, 0.0, seconds)):
            small = frame.native.reformat(width=WIDTH, height=HEIGHT, format="yuv420p").to_ndarray()
            luma, chroma = small[:HEIGHT], small[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)
            planes = (luma, chroma[0], chroma[1])
            yield Frame(number, 1, tuple(Plane(p, p.shape[1], p.shape[0]) for p in planes), 8)


def run_one(player: Device, number: int, plan: Plan, work: Path) -> None:
    """Runs one plan and keeps its session and log."""
    path = work / f"run-{number:02d}.session.json"
    grabbing = stumbling if number > len(PLANS) else grab
    _, log = player.run(plan, path, rate=Fraction(30), grabbing=grabbing)
    path.with_name(f"run-{number:02d}.log.json").write_text(json.dumps(log))


def main() -> None:
    """Captures the runs, reads them, and prints a line of JSON for each."""
    parser = argparse.ArgumentParser(description="Runs of a real browser, captured")
    parser.add_argument("work", type=Path)
    parser.add_argument("--title", type=Path, help="a recording to play; default: moving leaves")
    parser.add_argument("--detectors", help="to run over the captures; default: all")
    parser.add_argument("--only", help="numbers of runs; 11 is the stumbling grabber")
    parser.add_argument("--read-only", action="store_true", help="read what was captured before")
    arguments = parser.parse_args()
    work: Path = arguments.work
    (work / "device").mkdir(parents=True, exist_ok=True)
    plans = dict(enumerate((*PLANS, PLANS[-1]), 1))
    if arguments.only:
        plans = {int(n): plans[int(n)] for n in arguments.only.split(",")}
    if not arguments.read_only:
        frames = None if arguments.title is None else title_frames(arguments.title, 20.0)
        make_title(work / "device" / reference_device.TITLE, frames)
        with device(work / "device") as player:
            for number, plan in plans.items():
                run_one(player, number, plan, work)
    detectors = (
        None if arguments.detectors is None else [n for n in arguments.detectors.split(",") if n]
    )
    for number in plans:
        path = work / f"run-{number:02d}.session.json"
        log = json.loads(path.with_name(f"run-{number:02d}.log.json").read_text())
        reading = read_captured(path, detectors=detectors)
        made = compared(truth_of(log, reading.session.began_at), reading)
        print(json.dumps({"run": number, **made}))


if __name__ == "__main__":
    main()
