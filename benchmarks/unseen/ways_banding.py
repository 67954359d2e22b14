"""Ways to break gradients into steps."""

from __future__ import annotations

import cv2
import numpy as np
from scipy.spatial import cKDTree

from unseen.frames import Run


def panel(run: Run, level: int, rng: np.random.Generator) -> Run:
    """Luma in steps of one size: a panel of few bits, a stretched gradient."""
    step = (2, 4, 6, 9, 14)[level - 1]
    phase = float(rng.uniform(0, step))
    return run.each(lambda y: np.floor((y + phase) / step) * step + step / 2 - phase)


def linear_light(run: Run, level: int, rng: np.random.Generator) -> Run:
    """Few levels of linear light: the steps are large in the dark.

    How many levels follows from the picture: where it is darker than in four fifths of it, steps
    are as large as those of a panel. The same number everywhere leaves a dark scene three tones,
    and a bright one no visible step.
    """
    step = (2, 4, 6, 9, 14)[level - 1]
    dark = np.percentile(run.frames[len(run.frames) // 2][: run.height], 20)
    share = np.clip((float(dark) - 16) / 219, 0.02, 1)
    levels = 219 / 2.2 * share ** (1 - 2.2) / step

    def change(y: np.ndarray) -> np.ndarray:
        light = (np.clip(y - 16, 0, 219) / 219) ** 2.2
        return 16 + 219 * (np.rint(light * levels) / levels) ** (1 / 2.2)

    return run.each(change)


def palette(run: Run, level: int, rng: np.random.Generator) -> Run:
    """A palette per run without dither, as in GIF: colours chosen by k-means."""
    count = (1200, 400, 140, 56, 24)[level - 1]
    images = [cv2.cvtColor(f, cv2.COLOR_YUV2BGR_I420) for f in run.frames]
    seen = images[len(images) // 2].reshape(-1, 3)
    sample = seen[rng.integers(0, len(seen), 12_000)].astype(np.float32)
    cv2.setRNGSeed(int(rng.integers(1 << 30)))
    rule = (cv2.TERM_CRITERIA_MAX_ITER, 12, 1.0)
    _, _, centers = cv2.kmeans(sample, count, None, rule, 1, cv2.KMEANS_RANDOM_CENTERS)
    # A cube of 128 levels a side says which colour is nearest: a coarser one makes steps itself.
    axis = np.arange(1, 256, 2, dtype=np.float32)
    cube = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    nearest = cKDTree(centers).query(cube)[1]
    colours = np.clip(np.rint(centers), 0, 255).astype(np.uint8)[nearest]
    out: list[np.ndarray] = []
    for image in images:
        fine = image.astype(np.int32) // 2
        index = (fine[..., 0] * 128 + fine[..., 1]) * 128 + fine[..., 2]
        out.append(cv2.cvtColor(colours[index], cv2.COLOR_BGR2YUV_I420))
    return run.with_frames(out)


def deband_wrong(run: Run, level: int, rng: np.random.Generator) -> Run:
    """Noise reduction that flattens surfaces until they meet in steps, then few levels."""
    step = (3, 4, 6, 9, 13)[level - 1]

    def change(y: np.ndarray) -> np.ndarray:
        flat = cv2.bilateralFilter(y, 7, 3.0 * step, 3)
        return np.rint(cv2.medianBlur(np.rint(flat / step).astype(np.uint8), 5)) * float(step)

    return run.each(change)


def vignette(run: Run, level: int, rng: np.random.Generator) -> Run:
    """A gradient of gain in few steps, as a filter of low precision makes it."""
    steps = (64, 36, 22, 14, 9)[level - 1]
    height, width = run.height, run.width
    cx, cy = rng.uniform(0.2, 0.8, 2)
    x = (np.arange(width) / width - cx)[None]
    y = (np.arange(height) / height - cy)[:, None]
    fall = 1 - 0.6 * np.sqrt(x**2 + y**2)
    gain = np.rint(fall * steps) / steps
    return run.each(lambda luma: 16 + (luma - 16) * gain)


def stretched(run: Run, level: int, rng: np.random.Generator) -> Run:
    """A flat grade stretched after it was stored in eight bits: steps grow with the tone curve."""
    gain = (2.0, 3.5, 5.5, 8.0, 12.0)[level - 1]
    bend = float(rng.uniform(0.75, 1.35))

    def change(y: np.ndarray) -> np.ndarray:
        share = np.clip((y - 16) / 219, 0, 1) ** bend
        stored = np.rint(share * 219 / gain)
        return 16 + 219 * (stored * gain / 219) ** (1 / bend)

    return run.each(change)


WAYS = {
    "panel": panel,
    "linear_light": linear_light,
    "palette": palette,
    "deband_wrong": deband_wrong,
    "vignette": vignette,
    "stretched": stretched,
}
