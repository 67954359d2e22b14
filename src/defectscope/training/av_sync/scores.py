"""How well offsets are found: on takes and clips that were not trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.av_sync.network import SyncNet
from defectscope.detectors.av_sync.sound import log_mel
from defectscope.training.av_sync.batches import OFFSETS, SAMPLES_PER_PICTURE, Example

# Pictures of a window that is judged, and from one to the next.
_PICTURES, _STEP = 60, 30
Floats = NDArray[np.float64]


def curve(network: SyncNet, example: Example, first: int, pictures: int) -> Floats:
    """Gives the mean likeness over offsets of -15 to 15 pictures, (31,); NaN without sound.

    Args:
        network: In evaluation mode.
        example: A take or a piece of a clip.
        first: Row of the crops to begin with.
        pictures: How many rows.
    """
    picture = network.embed_picture(example.crops[first : first + pictures])
    begin = round((example.first + first + example.late - OFFSETS) * SAMPLES_PER_PICTURE)
    length = (pictures + 2 * OFFSETS) * SAMPLES_PER_PICTURE
    heard = np.zeros(length, np.float32)
    low, high = max(0, begin), min(len(example.sound), begin + length)
    if high > low:
        heard[low - begin : high - begin] = example.sound[low:high] / np.float32(32768)
    there = np.zeros(length // SAMPLES_PER_PICTURE, bool)
    there[-(-(low - begin) // SAMPLES_PER_PICTURE) : (high - begin) // SAMPLES_PER_PICTURE] = True
    sound = network.embed_sound(log_mel(heard))
    known = np.convolve(there, np.ones(5), mode="valid") > 4.5
    out = np.full(2 * OFFSETS + 1, np.nan)
    for place in range(2 * OFFSETS + 1):
        use = known[place : place + len(picture)]
        if use.sum() > 0.4 * len(picture):
            likeness = (picture * sound[place : place + len(picture)]).sum(axis=1)
            out[place] = likeness[use].mean()
    return out


def score_examples(network: SyncNet, examples: Sequence[Example]) -> Mapping[str, float]:
    """Scores windows of 2.4 s: share found within one picture, and the median error."""
    errors: list[float] = []
    for example in examples:
        for first in range(0, max(1, len(example.crops) - _PICTURES + 1), _STEP):
            found = curve(network, example, first, min(_PICTURES, len(example.crops)))
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
