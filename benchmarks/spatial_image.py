"""Measures `spatial_image` on stereo recordings: false alarms, and faults that were put into them.

    python benchmarks/spatial_image.py FOLDER... > table.md

Every recording with two channels and at least 5 s of sound counts once; of long ones the first
minute is taken. What fails to decode is left out.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors import load
from defectscope.engine.contracts import Chunk
from defectscope.errors import DefectscopeError
from defectscope.findings import DetectorResult, Interval
from defectscope.media.stream import AudioInfo, StreamInfo
from defectscope.simulate.contract import AudioSimulator
from defectscope.simulate.registry import simulator
from defectscope.simulate.synthetic.soundscape import runs_of
from defectscope.spatial.render import sound_blocks

MOST_S, LEAST_S = 60.0, 5.0
SEVERITIES = (1, 3, 5)


def recording(path: Path) -> tuple[NDArray[np.float32], int] | None:
    """Returns (samples, 2) and the rate, or None where there is no stereo sound."""
    try:
        rate_hz, channels, blocks = sound_blocks(path, end_s=MOST_S)
        if tuple(channels) != ("FL", "FR"):
            return None
        sound = np.concatenate(list(blocks), axis=1).T.astype(np.float32)
    except (DefectscopeError, ValueError):
        return None
    return (sound, rate_hz) if len(sound) >= LEAST_S * rate_hz else None


def decided(sound: NDArray[np.float32], rate_hz: int) -> tuple[DetectorResult, float]:
    """Returns what is found, and the processor time it took, seconds."""
    stream = stream_of(sound, rate_hz)
    detector = load("spatial_image")
    analysis = detector.open(stream)
    began = time.process_time()
    analysis.push(Chunk(audio=tuple(runs_of(sound, rate_hz))))
    result = detector.decide(analysis.close(), stream)
    return result, time.process_time() - began


def stream_of(sound: NDArray[np.float32], rate_hz: int) -> StreamInfo:
    """Returns the facts of a recording."""
    audio = AudioInfo(rate_hz, ("FL", "FR"), "stereo", "pcm_f32le")
    return StreamInfo("recording", "wav", len(sound) / rate_hz, None, audio)


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    duration_s = spent_s = 0.0
    names: list[str] = []
    false: list[str] = []
    found, made = Counter[tuple[str, int]](), Counter[tuple[str, int]]()
    off_s: dict[str, list[float]] = {"delay": [], "narrow": []}
    for folder in parser.parse_args().folders:
        for path in sorted(folder.iterdir()):
            taken = recording(path) if path.is_file() else None
            if taken is None:
                continue
            sound, rate_hz = taken
            length_s = len(sound) / rate_hz
            names.append(path.name)
            clean, spent = decided(sound, rate_hz)
            duration_s, spent_s = duration_s + length_s, spent_s + spent
            false += [f"{path.name}: {f.start_s:.1f} s, {dict(f.evidence)}" for f in clean.findings]
            wide = float(np.median(clean.curves["width_deg"].max)) >= 8.0
            start_s = round(0.3 * length_s, 2)
            part = Interval(start_s, start_s + min(4.0, 0.45 * length_s))
            for kind in ("delay", "narrow", "lean"):
                if (kind == "narrow" and not wide) or (kind == "lean" and length_s < 8.5):
                    continue
                span = Interval(0.0, length_s) if kind == "lean" else part
                for severity in SEVERITIES:
                    made[kind, severity] += 1
                    simulated = simulator("spatial_image")
                    stream = stream_of(sound, rate_hz)
                    plan = simulated.plan(
                        stream, span, seed=7, severity=severity, overrides={"kind": kind}
                    )
                    assert isinstance(simulated, AudioSimulator)
                    runs = simulated.apply(runs_of(sound), plan, [])
                    result = decided(np.concatenate([run.data for run in runs]), rate_hz)[0]
                    hits = [
                        f
                        for f in result.findings
                        if f.evidence["kind"] == kind
                        and f.start_s < span.end_s
                        and f.end_s > span.start_s
                    ]
                    found[kind, severity] += bool(hits)
                    if hits and kind in off_s:
                        off_s[kind] += [abs(hits[0].start_s - span.start_s)]
                        off_s[kind] += [abs(hits[-1].end_s - span.end_s)]
    print(f"{len(names)} recordings, {duration_s / 60:.1f} min: {', '.join(names)}\n")
    print(
        f"False alarms: {len(false)}. Processor time: {duration_s / spent_s:.0f} times real time.\n"
    )
    print("".join(f"- {line}\n" for line in false))
    print(
        "| kind | " + " | ".join(f"severity {s}" for s in SEVERITIES) + " | ends, median and most |"
    )
    print("|---|" + "---|" * (len(SEVERITIES) + 1))
    for kind in ("delay", "narrow", "lean"):
        cells = [f"{found[kind, s]} of {made[kind, s]}" for s in SEVERITIES]
        ends = off_s.get(kind, [])
        last = f"{np.median(ends):.2f} s, {max(ends):.2f} s" if ends else ""
        print(f"| `{kind}` | {' | '.join(cells)} | {last} |")


if __name__ == "__main__":
    main()
