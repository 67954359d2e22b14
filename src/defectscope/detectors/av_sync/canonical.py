"""A linear model of what lips and sound have in common: canonical correlation analysis.

Lip landmarks and a coarse frame of the mouth go in on one side, the cepstrum of the sound on the
other; out come a few signals a side that rise and fall together when both are in step. With a
minute or two of speech to learn from, it is the most that can be learned reliably.

Source: Hotelling 1936, "Relations between two sets of variates", Biometrika 28.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as load_safetensors
from scipy import ndimage

from defectscope.detectors.av_sync.crops import Mouth
from defectscope.detectors.av_sync.sound import MELS, log_mel
from defectscope.detectors.weights import read_verified
from defectscope.errors import ArtifactError

Floats = NDArray[np.float64]

# The mouth's frame is reduced to this many rows and columns.
COARSE_ROWS, COARSE_COLUMNS = 12, 16
# Frames and sound on either side that are looked at together with each frame.
_AROUND = 2
# Slower changes belong to pose, light and loudness, not to speech: standard deviation of the
# Gaussian that is taken away, in frames.
_SLOW_FRAMES = 15.0
# The sound: cepstral coefficients, smoothed a little, and how far below the loudest sound it is
# followed, in natural logarithms of power.
_COEFFICIENTS = 8
_SMOOTH_FRAMES = 0.7
_DEPTH = 9.0
_LOUDEST_PERCENT = 99.5

# How many principal components of landmarks and frame, and canonical signals, are kept; and how
# strongly both covariances are drawn towards the identity.
SHAPE_COMPONENTS, PICTURE_COMPONENTS, SIGNALS = 6, 8, 6
_RIDGE_FRAMES, _RIDGE_SOUND = 0.5, 0.1


@dataclass(frozen=True, slots=True)
class Canonical:
    """The learned projections.

    Attributes:
        shapes: (80, SHAPE_COMPONENTS) of lip landmarks.
        frames: (192, PICTURE_COMPONENTS) of coarse frames.
        lips: (5 x 14, SIGNALS) of both, over five frames.
        sound: (5 x 8, SIGNALS) of the cepstrum, over five frames.
        weights: (SIGNALS,) how much each signal counts, summing to 1.
    """

    shapes: Floats
    pictures: Floats
    lips: Floats
    sound: Floats
    weights: Floats

    def of_mouth(self, mouth: Mouth) -> Floats:
        """Returns the (T, SIGNALS) signals of a mouth, each of variance 1."""
        return _scaled(_around(_moving(mouth, self.shapes, self.pictures)) @ self.lips)

    def of_sound(self, samples: NDArray[np.float32]) -> Floats:
        """Returns the (N, SIGNALS) signals of mono sound at 16 kHz, 25 a second, of variance 1."""
        return _scaled(_sound_features(samples) @ self.sound)

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Returns what a file of weights holds."""
        return {f.name: np.asarray(getattr(self, f.name), np.float32) for f in fields(self)}


def load_canonical(folder: Path, artifact: Mapping[str, Any]) -> Canonical:
    """Reads the projections that detector.json names.

    Raises:
        ArtifactError: The file is missing, changed, or holds something else.
    """
    try:
        entry = artifact["canonical"]
        path, expected = folder / str(entry["file"]), str(entry["sha256"])
    except (KeyError, TypeError):
        raise ArtifactError(f"{folder / 'detector.json'}: names no canonical model") from None
    data = read_verified(path, expected)
    try:
        tensors = cast("dict[str, Any]", load_safetensors(data))
        return Canonical(**{f.name: tensors[f.name].astype(np.float64) for f in fields(Canonical)})
    except Exception as error:  # whatever safetensors makes of foreign contents
        raise ArtifactError(f"{path}: does not fit this detector: {error}") from None


def cepstrum(samples: NDArray[np.float32]) -> Floats:
    """Returns the (N, 8) cepstrum of mono sound at 16 kHz, row k centred on frame k."""
    mel = log_mel(samples).astype(np.float64)
    count = len(mel) // 4
    if not count:
        return np.zeros((0, _COEFFICIENTS))
    mel = np.maximum(mel, np.percentile(mel, _LOUDEST_PERCENT) - _DEPTH)
    # Mel frame i is centred 10 i + 5 ms after the start: 4k - 2 .. 4k + 1 lie around frame k.
    padded = np.pad(mel, ((2, 2), (0, 0)), mode="edge")
    bands = padded[: 4 * count].reshape(count, 4, MELS).mean(axis=1)
    phase = np.outer(np.arange(_COEFFICIENTS), np.arange(MELS) + 0.5) * (np.pi / MELS)
    out = bands @ (np.cos(phase) / np.sqrt(MELS / 2)).T
    return _fast(ndimage.gaussian_filter1d(out, _SMOOTH_FRAMES, axis=0))


def fit(pairs: Sequence[tuple[Mouth, NDArray[np.float32], int]]) -> Canonical:
    """Learns the projections.

    Args:
        pairs: Mouths, each with mono sound at 16 kHz and the frame of that sound, 25 a second, that
            belongs to the mouth's first frame.
    """
    shapes = _principal([_flat_shapes(m) for m, _, _ in pairs], SHAPE_COMPONENTS)
    pictures = _principal([_coarse(m) for m, _, _ in pairs], PICTURE_COMPONENTS)
    lips: list[Floats] = []
    sounds: list[Floats] = []
    for mouth, samples, first in pairs:
        ours = _around(_moving(mouth, shapes, pictures))
        theirs = _sound_features(samples)
        frames = np.arange(len(ours)) + first
        there = (frames >= 0) & (frames < len(theirs))
        lips.append(ours[there])
        sounds.append(theirs[frames[there]])
    x, y = (np.concatenate(part) for part in (lips, sounds))
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    xx = x.T @ x / len(x) + _RIDGE_FRAMES * np.eye(x.shape[1])
    yy = y.T @ y / len(y) + _RIDGE_SOUND * np.eye(y.shape[1])
    xy = x.T @ y / len(x)
    lower = np.linalg.cholesky(yy)
    whitened = np.linalg.solve(lower, xy.T)
    shared = whitened @ np.linalg.solve(xx, whitened.T)
    strengths, axes = np.linalg.eigh((shared + shared.T) / 2)
    strengths, axes = strengths[::-1][:SIGNALS], axes[:, ::-1][:, :SIGNALS]
    sound = np.linalg.solve(lower.T, axes)
    weights = np.sqrt(np.maximum(strengths, 0.0))
    return Canonical(
        shapes, pictures, np.linalg.solve(xx, xy) @ sound, sound, weights / weights.sum()
    )


def _flat_shapes(mouth: Mouth) -> Floats:
    flat = mouth.shapes.reshape(len(mouth), -1)
    return flat - flat.mean(axis=0)


def _coarse(mouth: Mouth) -> Floats:
    """Coarse frames, freed of the face's own look, its light and contrast."""
    rows = mouth.crops.shape[1] // COARSE_ROWS
    columns = mouth.crops.shape[2] // COARSE_COLUMNS
    blocks = mouth.crops.reshape(len(mouth), COARSE_ROWS, rows, COARSE_COLUMNS, columns)
    flat = blocks.mean(axis=(2, 4), dtype=np.float64).reshape(len(mouth), -1)
    return (flat - flat.mean(axis=0)) / (flat.std() + 1.0)


def _principal(parts: Sequence[Floats], count: int) -> Floats:
    """Principal axes, scaled so that projections on them have variance 1."""
    joined = np.concatenate(parts)
    variances, axes = np.linalg.eigh(joined.T @ joined / len(joined))
    scale = np.sqrt(np.maximum(variances[::-1][:count], 1e-12))
    return axes[:, ::-1][:, :count] / scale


def _moving(mouth: Mouth, shapes: Floats, pictures: Floats) -> Floats:
    return _fast(np.concatenate([_flat_shapes(mouth) @ shapes, _coarse(mouth) @ pictures], axis=1))


def _sound_features(samples: NDArray[np.float32]) -> Floats:
    """The cepstrum over five frames, every coefficient of variance 1 in its own interval."""
    own = cepstrum(samples)
    return _around(own / (own.std(axis=0) + 1e-6) if len(own) else own)


def _fast(values: Floats) -> Floats:
    slow = ndimage.gaussian_filter1d(values, _SLOW_FRAMES, axis=0, mode="nearest")
    return np.asarray(values - slow)


def _around(values: Floats) -> Floats:
    """Sets every row's neighbours beside it."""
    if not len(values):
        return np.zeros((0, values.shape[1] * (2 * _AROUND + 1)))
    padded = np.pad(values, ((_AROUND, _AROUND), (0, 0)), mode="edge")
    return np.concatenate([padded[i : i + len(values)] for i in range(2 * _AROUND + 1)], axis=1)


def _scaled(values: Floats) -> Floats:
    if not len(values):
        return values
    return (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-6)
