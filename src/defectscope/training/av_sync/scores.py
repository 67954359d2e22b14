"""How well offsets are found: on takes and clips that were not trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.av_sync.network import SyncNet
from defectscope.detectors.av_sync.sound import log_mel
from defectscope.training.av_sync.batches import OFFSETS, SAMPLES_PER_FRAME, Example

# Frames of a window that is evaluated, and from one to the next.
_FRAMES, _STEP = 60, 30
Floats = NDArray[np.float64]


def curve(network: SyncNet, example: Example, first: int, frames: int) -> Floats:
    """Returns the mean likeness over offsets of -15 to 15 frames, (31,); NaN without sound.

    Args:
        network: In evaluation mode.
        example: A take or a piece of a clip.
        first: Row of the crops to begin with.
        frames: How many rows.
    """
    frame = network.embed_mouth(example.crops[first : first + frames])
    begin = round((example.first + first + example.late - OFFSETS) * SAMPLES_PER_FRAME)
    length = (frames + 2 * OFFSETS) * SAMPLES_PER_FRAME
    sound_embeddings = np.zeros(length, np.float32)
    low, high = max(0, begin), min(len(example.sound), begin + length)
    if high > low:
        sound_embeddings[low - begin : high - begin] = example.sound[low:high] / np.float32(32768)
    there = np.zeros(length // SAMPLES_PER_FRAME, bool)
    there[-(-(low - begin) // SAMPLES_PER_FRAME) : (high - begin) // SAMPLES_PER_FRAME] = True
    sound = network.embed_sound(log_mel(sound_embeddings))
    known = np.convolve(there, np.ones(5), mode="valid") > 4.5
    out = np.full(2 * OFFSETS + 1, np.nan)
    for place in range(2 * OFFSETS + 1):
        use = known[place : place + len(frame)]
        if use.sum() > 0.4 * len(frame):
            likeness = (frame * sound[place : place + len(frame)]).sum(axis=1)
            out[place] = likeness[use].mean()
    return out


def score_examples(network: SyncNet, examples: Sequence[Example]) -> Mapping[str, float]:
    """Scores windows of 2.4 s: share found within one frame, and the median error."""
    errors: list[float] = []
    for example in examples:
        for first in range(0, max(1, len(example.crops) - _FRAMES + 1), _STEP):
            found = curve(network, example, first, min(_FRAMES, len(example.crops)))
            if np.isfinite(found[OFFSETS]):
                errors.append(abs(int(np.nanargmax(found)) - OFFSETS))
    if not errors:
        return {"objective": 0.0, "windows": 0.0}
    array = np.array(errors, np.float64)
    return {
        "objective": float(np.mean(array <= 1)),
        "median_error_frames": float(np.median(array)),
        "within_three": float(np.mean(array <= 3)),
        "windows": float(len(array)),
    }
