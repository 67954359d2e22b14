"""Says what essentia's classical detectors mark in sound files.

In an environment of its own (`pip install essentia av numpy`), at their defaults: HumDetector for
hum, NoiseBurstDetector for hiss, SaturationDetector for distortion, ClickDetector and GapsDetector
for clicks. What they said stands in docs/results/audio_artifacts.md.
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
# Bursts are marked frame by frame: so many count as one.
_BURST = 4


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the marks of every file of some folders; returns the exit code."""
    parser = argparse.ArgumentParser(description="What essentia marks in sound files.")
    parser.add_argument("folder", type=Path, nargs="+")
    standard = importlib.import_module("essentia.standard")
    for folder in parser.parse_args(argv).folder:
        for path in sorted(folder.iterdir()):
            if path.suffix in SUFFIXES:
                print(path.name, json.dumps(marks(standard, mono(path))))
    return 0


def mono(path: Path) -> NDArray[np.float32]:
    """Returns the mix of a file at 44.1 kHz, (n,)."""
    resampler = av.AudioResampler("flt", "mono", RATE_HZ)
    with av.open(path) as container:
        frames = [f for each in container.decode(audio=0) for f in resampler.resample(each)]
    frames += resampler.resample(None)
    parts = [frame.to_ndarray().ravel() for frame in frames]
    return np.concatenate(parts).astype(np.float32)


def marks(standard: Any, sound: NDArray[np.float32]) -> dict[str, int]:
    """Returns how often each kind is marked."""
    clicks, gaps = standard.ClickDetector(), standard.GapsDetector()
    bursts, saturated = standard.NoiseBurstDetector(), standard.SaturationDetector()
    clicked = bent = noisy = 0
    for start in range(0, len(sound) - _FRAME + 1, _HOP):
        frame = sound[start : start + _FRAME]
        clicked += len(clicks(frame)[0])
        bent += len(saturated(frame)[0])
        noisy += len(bursts(frame)) > 0
    for start in range(0, len(sound) - _GAP_FRAME + 1, _GAP_HOP):
        clicked += len(gaps(sound[start : start + _GAP_FRAME])[0])
    hum = len(standard.HumDetector()(sound)[1])
    return {"hum": hum, "hiss": noisy // _BURST, "distortion": bent, "clicks": clicked}


if __name__ == "__main__":
    sys.exit(main())
