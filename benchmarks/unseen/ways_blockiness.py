"""Ways to make block grids visible: seven coders, and grids that scaling has stretched."""

from __future__ import annotations

import cv2
import numpy as np

from unseen.frames import Run, scaled, through

_X264 = {"preset": "veryfast", "x264-params": "no-deblock=1:keyint=50:aq-mode=0:psy=0"}


def mpeg2(run: Run, level: int, rng: np.random.Generator) -> Run:
    """MPEG-2 at a fixed quantiser: blocks of 8."""
    return through(run, "mpeg2video", {}, qmin=(5, 10, 16, 24, 31)[level - 1], gop=12)


def mpeg4(run: Run, level: int, rng: np.random.Generator) -> Run:
    """MPEG-4 part 2 at a fixed quantiser."""
    return through(run, "mpeg4", {}, qmin=(5, 9, 14, 21, 31)[level - 1], gop=60)


def h264(run: Run, level: int, rng: np.random.Generator) -> Run:
    """H.264 without its deblocking filter."""
    return through(run, "libx264", {**_X264, "qp": str((30, 35, 39, 43, 47)[level - 1])})


def h264_deblocked(run: Run, level: int, rng: np.random.Generator) -> Run:
    """H.264 with its deblocking filter, which the coarsest quantisers outdo."""
    options = {"preset": "veryfast", "x264-params": "keyint=50:aq-mode=0:psy=0"}
    return through(run, "libx264", {**options, "qp": str((40, 43, 46, 49, 51)[level - 1])})


def mjpeg(run: Run, level: int, rng: np.random.Generator) -> Run:
    """Motion JPEG: every frame has its own grid of 8."""
    quality = (38, 24, 14, 9, 5)[level - 1]
    out: list[np.ndarray] = []
    for frame in run.frames:
        image = cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_I420)
        data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        out.append(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2YUV_I420))
    return run.with_frames(out)


def vp8(run: Run, level: int, rng: np.random.Generator) -> Run:
    """VP8 at its coarsest quantisers; its loop filter hides a part."""
    quantizer = (38, 46, 53, 59, 63)[level - 1]
    options = {"deadline": "realtime", "cpu-used": "12", "profile": "3"}
    return through(run, "libvpx", options, bit_rate=20_000, qmin=quantizer, qmax=quantizer, gop=120)


def scaled_grid(run: Run, level: int, rng: np.random.Generator) -> Run:
    """MPEG-2 or H.264 without deblocking at a smaller size, scaled up: no grid of 8."""
    share = float(rng.choice([0.5, 0.6, 2 / 3, 0.75, 0.45]))
    wide, high = (round(side * share / 4) * 4 for side in (run.width, run.height))
    small = scaled(run, wide, high, cv2.INTER_AREA)
    coded = (mpeg2 if rng.random() < 0.5 else h264)(small, level, rng)
    return scaled(coded, run.width, run.height, cv2.INTER_CUBIC)


WAYS = {
    "mpeg2": mpeg2,
    "mpeg4": mpeg4,
    "h264_no_deblock": h264,
    "h264_deblocked": h264_deblocked,
    "mjpeg": mjpeg,
    "vp8": vp8,
    "scaled_grid": scaled_grid,
}
