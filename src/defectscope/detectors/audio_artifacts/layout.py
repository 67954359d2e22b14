"""What goes into the network and comes out of it, for those who need not import PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts import spectra
from defectscope.detectors.audio_artifacts.spectra import LINES, MELS, Spectra

CLASSES = ("audio_hum", "audio_hiss", "audio_distortion", "audio_clicks")
HIDDEN = 192
# Windows on either side that a window is evaluated among.
REACH = 2
NEAR = 2 * REACH + 1
LINE_STATS, MEL_STATS = 3, 3
# Numbers that a window's summary holds.
SUMMARY = LINE_STATS * LINES + MEL_STATS * MELS + 1
# What `embed_windows` gives of a window.
EMBEDDING = len(CLASSES) + HIDDEN + SUMMARY
# Windows per run of the network. Fewer are filled up with silence, so that its shape, and with it
# its rounding, never depends on how much sound there was.
BATCH = 16
# Shapes of what goes in: mel, lines, fast and levels; then embeddings.
WINDOW_SHAPES = (
    (BATCH, spectra.MEL_FRAMES, spectra.MELS, spectra.MEL_LAYERS),
    (BATCH, spectra.LINE_FRAMES, spectra.LINES),
    (BATCH, spectra.FAST_FRAMES, 4),
    (BATCH, spectra.LEVELS, spectra.LEVEL_LAYERS),
)
NEAR_SHAPE = (BATCH, NEAR, EMBEDDING)
_SILENCE = -10.0
Floats = NDArray[np.float32]


class WindowScorer(Protocol):
    """Embeds windows, and evaluates each among those around it; serves many streams at once."""

    def embed_windows(self, windows: Sequence[Spectra]) -> Floats:
        """Returns what at most `BATCH` windows say by themselves, (windows, EMBEDDING)."""
        ...

    def classify(self, near: Sequence[Sequence[Floats | None]]) -> Floats:
        """Returns the logits, (windows, 4), of at most `BATCH` windows.

        Args:
            near: Of each window, what `embed_windows` gave of it, in the middle, and of the two on
                either side, None where there is none.
        """
        ...


def batch_of_windows(windows: Sequence[Spectra]) -> tuple[Floats, Floats, Floats, Floats]:
    """Returns at most `BATCH` windows as the network takes them: mel, lines, fast, levels."""
    _check(len(windows))
    mel, lines, fast = (np.full(shape, _SILENCE, np.float32) for shape in WINDOW_SHAPES[:3])
    levels = np.zeros(WINDOW_SHAPES[3], np.float32)
    for row, window in enumerate(windows):
        mel[row], lines[row], fast[row] = window.mel, window.lines, window.fast
        levels[row] = window.levels.sum(axis=0)
    return mel, lines, fast, levels


def batch_of_near(
    near: Sequence[Sequence[Floats | None]],
) -> tuple[Floats, NDArray[np.bool_]]:
    """Returns embeddings and which of them there are, as the network takes them."""
    _check(len(near))
    embeddings = np.zeros(NEAR_SHAPE, np.float32)
    present = np.zeros(NEAR_SHAPE[:2], np.bool_)
    present[:, REACH] = True
    for row, windows in enumerate(near):
        for place, window in enumerate(windows):
            if window is not None:
                embeddings[row, place], present[row, place] = window, True
    return embeddings, present


def _check(count: int) -> None:
    if not 0 < count <= BATCH:
        raise ValueError(f"wants 1 to {BATCH} windows, not {count}")
