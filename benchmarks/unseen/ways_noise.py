"""Ways to lay noise over the frame."""

from __future__ import annotations

import cv2
import numpy as np

from unseen.frames import Run, through

_SIGMA_CODE = (2.5, 4.5, 8.0, 13.0, 20.0)


def white(run: Run, level: int, rng: np.random.Generator) -> Run:
    """White Gaussian noise on luma."""
    sigma = _SIGMA_CODE[level - 1]
    return run.each(lambda y: y + rng.normal(0, sigma, y.shape))


def grain(run: Run, level: int, rng: np.random.Generator) -> Run:
    """Film grain: blobs of about two pixels, strongest in the middle tones."""
    sigma = _SIGMA_CODE[level - 1] * 1.1

    def change(y: np.ndarray) -> np.ndarray:
        raw = cv2.GaussianBlur(rng.normal(0, 1, y.shape).astype(np.float32), (0, 0), 0.8)
        tone = 0.4 + 2.4 * np.clip((y - 16) / 219, 0, 1) * (1 - np.clip((y - 16) / 219, 0, 1))
        return y + raw / raw.std() * sigma * tone

    return run.each(change)


def sensor(run: Run, level: int, rng: np.random.Generator) -> Run:
    """A sensor at too high a gain: shot noise, read noise and rows of their own level."""
    gain = _SIGMA_CODE[level - 1] / 8

    def change(y: np.ndarray) -> np.ndarray:
        shot = rng.normal(0, 1, y.shape) * np.sqrt(np.clip(y - 10, 2, None)) * 0.8 * gain
        rows = rng.normal(0, 2.0 * gain, (y.shape[0], 1))
        return y + shot + rows + rng.normal(0, 3.0 * gain, y.shape)

    return run.each(change)


def impulses(run: Run, level: int, rng: np.random.Generator) -> Run:
    """Dots of black and white."""
    share = (0.0005, 0.002, 0.006, 0.015, 0.04)[level - 1]

    def change(y: np.ndarray) -> np.ndarray:
        dice = rng.random(y.shape)
        return np.where(dice < share / 2, 16.0, np.where(dice > 1 - share / 2, 235.0, y))

    return run.each(change)


def snow(run: Run, level: int, rng: np.random.Generator) -> Run:
    """A weak analogue signal: noise that is smeared along the lines."""
    sigma = _SIGMA_CODE[level - 1] * 1.2

    def change(y: np.ndarray) -> np.ndarray:
        raw = rng.normal(0, 1, y.shape).astype(np.float32)
        kernel = np.array([[0.2, 0.5, 1.0, 0.5, 0.2]], np.float32)
        smeared = cv2.filter2D(raw, -1, kernel)
        return y + smeared / smeared.std() * sigma

    return run.each(change)


def coarse(run: Run, level: int, rng: np.random.Generator) -> Run:
    """Noise of a smaller raster that was scaled up with its frame."""
    sigma = _SIGMA_CODE[level - 1] * 1.1
    share = float(rng.uniform(0.5, 0.8))

    def change(y: np.ndarray) -> np.ndarray:
        high, wide = (max(8, int(side * share)) for side in y.shape)
        raw = rng.normal(0, 1, (high, wide)).astype(np.float32)
        large = cv2.resize(raw, y.shape[::-1], interpolation=cv2.INTER_CUBIC)
        return y + large / large.std() * sigma

    return run.each(change)


def chroma(run: Run, level: int, rng: np.random.Generator) -> Run:
    """A colour sensor at night: blotches of colour, and less noise on luma."""
    sigma = _SIGMA_CODE[level - 1]

    def change(plane: np.ndarray, scale: float) -> np.ndarray:
        if scale == 1.0:
            return plane + rng.normal(0, 0.7 * sigma, plane.shape)
        raw = cv2.GaussianBlur(rng.normal(0, 1, plane.shape).astype(np.float32), (0, 0), 1.0)
        return plane + raw / raw.std() * sigma

    return run.each_plane(change)


def low_light(run: Run, level: int, rng: np.random.Generator) -> Run:
    """A dark scene amplified, after a camera's temporal filter: noise that crawls."""
    sigma = _SIGMA_CODE[level - 1] * 1.3
    keep = float(rng.uniform(0.5, 0.8))
    # The filter evens noise out; what is left of it is scaled back to the level's strength.
    scale = np.sqrt((1 + keep) / (1 - keep))
    noise: np.ndarray | None = None

    def change(y: np.ndarray) -> np.ndarray:
        nonlocal noise
        fresh = rng.normal(0, 1, y.shape).astype(np.float32)
        noise = fresh / scale if noise is None else keep * noise + (1 - keep) * fresh
        dark = 16 + (y - 16) * 0.55
        return dark + noise * scale * sigma

    return run.each(change)


def after_encode(run: Run, level: int, rng: np.random.Generator) -> Run:
    """Noise over frames that a coder has smoothed: a capture of a delivered programme."""
    coded = through(run, "libx264", {"preset": "veryfast", "crf": "30"})
    sigma = _SIGMA_CODE[level - 1]
    return coded.each(lambda y: y + rng.normal(0, sigma, y.shape))


WAYS = {
    "white": white,
    "grain": grain,
    "sensor": sensor,
    "impulses": impulses,
    "snow": snow,
    "coarse": coarse,
    "chroma": chroma,
    "low_light": low_light,
    "after_encode": after_encode,
}
