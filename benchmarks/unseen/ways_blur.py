"""Ways to lose detail all over the frame."""

from __future__ import annotations

import cv2
import numpy as np

from unseen.frames import Run, filtered, scaled, through


def _size(run: Run) -> float:
    return max(run.height / 480, 0.75)


def gaussian(run: Run, level: int, rng: np.random.Generator) -> Run:
    """A Gaussian."""
    sigma = (0.6, 1.0, 1.6, 2.4, 3.5)[level - 1] * _size(run)
    return run.each_plane(lambda p, s: cv2.GaussianBlur(p, (0, 0), max(sigma * s, 0.3)))


def disc(run: Run, level: int, rng: np.random.Generator) -> Run:
    """A disc, as a lens out of focus makes it."""
    radius = (1.0, 1.8, 2.8, 4.2, 6.5)[level - 1] * _size(run)

    def change(plane: np.ndarray, scale: float) -> np.ndarray:
        r = max(radius * scale, 0.6)
        reach = int(np.ceil(r))
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        kernel = np.clip(r + 0.5 - np.hypot(x, y), 0, 1)
        return cv2.filter2D(plane, -1, kernel / kernel.sum())

    return run.each_plane(change)


def upscale(run: Run, level: int, rng: np.random.Generator) -> Run:
    """A smaller raster scaled up."""
    share = (0.7, 0.5, 0.36, 0.26, 0.18)[level - 1]
    kernel = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4]))
    wide, high = (max(16, round(side * share / 4) * 4) for side in (run.width, run.height))
    return scaled(scaled(run, wide, high, cv2.INTER_AREA), run.width, run.height, kernel)


def denoise(run: Run, level: int, rng: np.random.Generator) -> Run:
    """Noise reduction gone too far: edges stay, texture is wiped out, then softened."""
    strength = (8, 16, 28, 45, 70)[level - 1]
    reach = (0.5, 0.8, 1.2, 1.8, 2.6)[level - 1] * _size(run)

    def change(y: np.ndarray) -> np.ndarray:
        smooth = cv2.bilateralFilter(y, 9, strength, 2.5 * _size(run))
        return cv2.GaussianBlur(smooth, (0, 0), reach)

    return run.each(change)


def temporal_denoise(run: Run, level: int, rng: np.random.Generator) -> Run:
    """Noise reduction in space and time that takes what moves for noise, after a soft scaler."""
    near = (0.03, 0.06, 0.1, 0.18, 0.3)[level - 1]
    share = (0.85, 0.62, 0.45, 0.32, 0.22)[level - 1]
    wide, high = (max(16, round(side * share / 4) * 4) for side in (run.width, run.height))
    small = scaled(run, wide, high, cv2.INTER_AREA)
    bounds = ":".join(f"{plane}a={near}:{plane}b={4 * near}" for plane in range(3))
    calm = filtered(small, ("atadenoise", f"{bounds}:s=7"))
    return scaled(calm, run.width, run.height, cv2.INTER_LINEAR)


def low_pass_encode(run: Run, level: int, rng: np.random.Generator) -> Run:
    """An encoder that drops high frequencies: coarse H.264 with full deblocking of a soft input."""
    qp = (32, 35, 38, 41, 44)[level - 1]
    sigma = (0.4, 0.7, 1.1, 1.7, 2.4)[level - 1] * _size(run)
    params = "deblock=6,6:aq-mode=0:psy=0:keyint=60"
    soft = run.each(lambda y: cv2.GaussianBlur(y, (0, 0), sigma))
    return through(soft, "libx264", {"preset": "veryfast", "qp": str(qp), "x264-params": params})


WAYS = {
    "gaussian": gaussian,
    "disc": disc,
    "upscale": upscale,
    "denoise": denoise,
    "temporal_denoise": temporal_denoise,
    "low_pass_encode": low_pass_encode,
}
