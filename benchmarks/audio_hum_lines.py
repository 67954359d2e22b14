"""How far the lines of the mains stand out in recordings that pass for clean, without any model.

    python audio_hum_lines.py FOLDER

Of every folder in FOLDER, eight recordings spread over it: the strongest line within 1.2 Hz of 50,
100, 150 and 250 Hz, and of 60, 120, 180 and 300 Hz, over the median of what lies 4 to 18 Hz away,
in decibels; medians over the recordings. Speech and music have no business at exactly these places.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from defectscope.training.audio_artifacts import clips

RATE_HZ = 32000
MAINS_HZ = (50.0, 60.0)
ORDERS = (1, 2, 3, 5)
RECORDINGS = 8
_BINS = 131072
_LINE_HZ, _NEAR_HZ, _FAR_HZ = 1.2, 4.0, 18.0


def lines_db(sound: NDArray[np.int16]) -> NDArray[np.float64]:
    """Returns how far each line stands out, dB, (2, 4)."""
    spectrum = np.abs(np.fft.rfft(sound / 32768 * np.hanning(len(sound)), _BINS)) ** 2
    hz = np.fft.rfftfreq(_BINS, 1 / RATE_HZ)
    out = np.zeros((len(MAINS_HZ), len(ORDERS)))
    for row, mains in enumerate(MAINS_HZ):
        for column, order in enumerate(ORDERS):
            away = np.abs(hz - mains * order)
            beside = np.median(spectrum[(away > _NEAR_HZ) & (away < _FAR_HZ)]) + 1e-12
            out[row, column] = 10 * np.log10(spectrum[away < _LINE_HZ].max() / beside + 1e-12)
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Prints one line a folder; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(argv)
    print("| folder | 50 Hz | 100 | 150 | 250 | 60 Hz | 120 | 180 | 300 |\n|" + "---|" * 9)
    for folder in sorted(p for p in options.folder.iterdir() if p.is_dir()):
        files = sorted(folder.rglob("*.ogg"))
        files = files[:: max(1, len(files) // RECORDINGS)][:RECORDINGS]
        sounds = [clips.read_mono(path, RATE_HZ) for path in files]
        rows = [lines_db(sound) for sound in sounds if len(sound) >= RATE_HZ // 2]
        if rows:
            cells = " | ".join(f"{value:.0f}" for value in np.median(rows, axis=0).ravel())
            print(f"| {folder.name} | {cells} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
