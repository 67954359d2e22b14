"""Says where essentia's classical detectors mark defects in sound files.

In an environment of its own (`pip install essentia av numpy`), at their defaults: HumDetector for
hum, NoiseBurstDetector for hiss, SaturationDetector for distortion, ClickDetector and GapsDetector
for clicks. What they said stands in docs/results/audio_artifacts.md; `audio_side_by_side.py`
compares it with the detector.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE_HZ = 44100
SUFFIXES = (".flac", ".ogg", ".wav")
_FRAME, _HOP = 512, 256
_GAP_FRAME, _GAP_HOP = 2048, 1024
# Bursts are marked frame by frame: so many in a row count as noise that lasts.
_BURST = 4
# Marks at most so far apart are one, seconds: as the detector joins its own.
_TOGETHER_S = 1.0
Spans = list[tuple[float, float]]


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the marks of every file of some folders, a line each; returns the exit code."""
    parser = argparse.ArgumentParser(description="What essentia marks in sound files.")
    parser.add_argument("folder", type=Path, nargs="+")
    parser.add_argument("--done", type=Path, help="lines of an earlier run, not repeated")
    options = parser.parse_args(argv)
    standard = importlib.import_module("essentia.standard")
    lines = options.done.read_text("utf-8").splitlines() if options.done else []
    done = {json.loads(line)["file"] for line in lines}
    for folder in options.folder:
        for path in sorted(folder.iterdir()):
            if path.suffix in SUFFIXES and path.name not in done:
                said = {"file": path.name, **marks(standard, mono(path))}
                print(json.dumps(said), flush=True)
    return 0


def mono(path: Path) -> NDArray[np.float32]:
    """Returns the mix of a file at 44.1 kHz, (n,)."""
    resampler = av.AudioResampler("flt", "mono", RATE_HZ)
    with av.open(path) as container:
        frames = [f for each in container.decode(audio=0) for f in resampler.resample(each)]
    frames += resampler.resample(None)
    parts = [frame.to_ndarray().ravel() for frame in frames]
    return np.concatenate(parts).astype(np.float32)


def marks(standard: Any, sound: NDArray[np.float32]) -> dict[str, Spans]:
    """Returns the spans that are marked of each kind, seconds."""
    clicks, gaps = standard.ClickDetector(), standard.GapsDetector()
    bursts, saturated = standard.NoiseBurstDetector(), standard.SaturationDetector()
    clicked: list[float] = []
    bent: list[float] = []
    noisy: list[bool] = []
    for start in range(0, len(sound) - _FRAME + 1, _HOP):
        frame, at_s = sound[start : start + _FRAME], start / RATE_HZ
        clicked += [at_s] * (len(clicks(frame)[0]) > 0)
        bent += [at_s] * (len(saturated(frame)[0]) > 0)
        noisy.append(len(bursts(frame)) > 0)
    for start in range(0, len(sound) - _GAP_FRAME + 1, _GAP_HOP):
        clicked += [float(s) for s in gaps(sound[start : start + _GAP_FRAME])[0]]
    edges = np.flatnonzero(np.diff(np.r_[0, np.array(noisy, np.int8), 0])).reshape(-1, 2)
    hiss = [(a * _HOP / RATE_HZ, b * _HOP / RATE_HZ) for a, b in edges.tolist() if b - a >= _BURST]
    try:
        lasting = standard.HumDetector()(sound)
        hum = [(float(a), float(b)) for a, b in zip(lasting[3], lasting[4], strict=True)]
    except RuntimeError:
        hum = []  # shorter than what it looks at, so that it can mark nothing
    return {
        "hum": joined(hum),
        "hiss": joined(hiss),
        "distortion": joined([(s, s) for s in bent]),
        "clicks": joined([(s, s) for s in clicked]),
    }


def joined(spans: Spans) -> Spans:
    """Returns spans in order, those that lie close together as one, in hundredths of a second."""
    out: Spans = []
    for start_s, end_s in sorted(spans):
        if out and start_s - out[-1][1] <= _TOGETHER_S:
            out[-1] = (out[-1][0], round(max(out[-1][1], end_s), 2))
        else:
            out.append((round(start_s, 2), round(end_s, 2)))
    return out


if __name__ == "__main__":
    sys.exit(main())
