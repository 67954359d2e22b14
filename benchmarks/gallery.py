"""Draws docs/gallery.md: every simulated defect before and after, from synthesised material.

python benchmarks/gallery.py            frames and page
python benchmarks/gallery.py --page     the page alone, after a change of parameters
python benchmarks/gallery.py --only X   the page, and the frame of one simulator
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from defectscope.findings import Interval
from defectscope.media.cues import Cue
from defectscope.media.stream import StreamInfo
from defectscope.parameters import table
from defectscope.simulate.contract import AudioSimulator, Simulator, VideoSimulator
from defectscope.simulate.effects.arrays import impair_frames, impair_samples, video_stream
from defectscope.simulate.effects.caption_cues import CueSimulator
from defectscope.simulate.registry import simulators
from defectscope.simulate.synthetic.hard_negatives import HARD_NEGATIVES
from defectscope.simulate.synthetic.material import Footage, Look
from defectscope.simulate.synthetic.soundscape import music_like, speech_like

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "gallery.md"
FOLDER = ROOT / "docs" / "gallery"
WIDTH, HEIGHT, FRAMES = 320, 180, 75
RATE = Fraction(25)
RATE_HZ = 48000
SPAN = Interval(1.0, 2.0)
SHOWN = 36
SEED = 4

# What is shown of defects with several kinds; the others are drawn from the seed.
KINDS: dict[str, tuple[dict[str, Any], ...]] = {
    "blur": tuple({"kind": k} for k in ("gaussian", "defocus", "upscaled")),
    "color_error": tuple(
        {"kind": k} for k in ("cast", "chroma_shift", "chroma_loss", "chroma_swap", "illegal_range")
    ),
    "compression_blockiness": ({"codec": "mpeg2video"}, {"codec": "libx264"}),
    "letterbox": tuple({"kind": k} for k in ("letter", "pillar", "window")),
    "test_pattern": tuple({"kind": k} for k in ("smpte_bars", "ebu_bars", "solid", "slate")),
    "video_noise": tuple({"kind": k} for k in ("gaussian", "film", "salt")),
    "flicker": tuple({"kind": k} for k in ("luma", "general_flash", "red_flash")),
    "stutter": ({"kind": "repeat"}, {"kind": "drop"}),
    "audio_dropout": ({"channel": -1},),
    "channel_missing": ({"channel": 1},),
    "channel_imbalance": ({"channel": 1},),
}
# Defects that show in the detail: a part of the frame, enlarged.
ZOOMED = {"tearing", "interlacing", "compression_blockiness", "banding", "block_corruption"}
ZOOM = np.s_[20:110, 80:240]
# Defects that show in time and not in one frame.
IN_TIME = {"freeze": "steps", "stutter": "steps", "flicker": "levels", "black_frames": "levels"}


def rgb(frame: Any) -> np.ndarray:
    """A frame as displayable RGB, BT.601."""
    y, u, v = (p.pixels.astype(np.float32) for p in frame.planes)
    u, v = (
        np.kron(p, np.ones((2, 2), np.float32))[: y.shape[0], : y.shape[1]] - 128 for p in (u, v)
    )
    y = 1.164 * (y - 16)
    out = np.stack([y + 1.596 * v, y - 0.392 * u - 0.813 * v, y + 2.017 * u], axis=-1)
    return np.clip(out, 0, 255).astype(np.uint8)


def draw_frames(plt: Any, made: VideoSimulator[Any], frames: list[Any], stream: StreamInfo) -> None:
    """Before and after in one frame of the span, a row for each kind."""
    rows = KINDS.get(made.name, ({},))
    figure, axes = plt.subplots(
        len(rows), 4, figsize=(12.8, 1.95 * len(rows)), squeeze=False, layout="constrained"
    )
    for row, settings in zip(axes, rows, strict=True):
        shown = [("before", frames[SHOWN])]
        for severity in (1, 3, 5):
            out, _ = impair_frames(
                made, frames, stream, span=SPAN, seed=SEED, severity=severity, overrides=settings
            )
            shown.append((f"severity {severity}", out[SHOWN]))
        for axis, (title, frame) in zip(row, shown, strict=True):
            image = rgb(frame)
            axis.imshow(image[ZOOM] if made.name in ZOOMED else image, interpolation="nearest")
            label = next(iter(settings.values()), "")
            axis.set_title(f"{title}  {label}".strip(), fontsize=9)
            axis.axis("off")
    save(plt, figure, made.name)


def draw_in_time(
    plt: Any, made: VideoSimulator[Any], frames: list[Any], stream: StreamInfo
) -> None:
    """Mean luma, or the step from frame to frame, over time; the truth is shaded."""
    rows = KINDS.get(made.name, ({},))
    figure, axes = plt.subplots(
        len(rows), 2, figsize=(12.8, 2.2 * len(rows)), squeeze=False, layout="constrained"
    )
    for row, settings in zip(axes, rows, strict=True):
        for axis, severity in zip(row, (1, 4), strict=True):
            out, truth = impair_frames(
                made, frames, stream, span=SPAN, seed=SEED, severity=severity, overrides=settings
            )
            for clip, style in ((frames, {"color": "0.7"}), (out, {"color": "tab:red"})):
                lumas = [f.planes[0].pixels.astype(np.float32) for f in clip]
                if IN_TIME[made.name] == "levels":
                    values = [float(luma.mean()) for luma in lumas]
                    axis.set_ylabel("mean luma (code)", fontsize=8)
                else:
                    values = [0.0] + [float(np.abs(b - a).mean()) for a, b in pairwise(lumas)]
                    axis.set_ylabel("step (code)", fontsize=8)
                axis.plot(np.arange(len(values)) / 25, values, lw=1.2, **style)
            for entry in truth:
                axis.axvspan(entry.start_s, entry.end_s, color="tab:blue", alpha=0.12)
            label = next(iter(settings.values()), "")
            axis.set_title(f"severity {severity}  {label}".strip(), fontsize=9)
            axis.tick_params(labelsize=8)
    save(plt, figure, made.name)


def draw_sound(plt: Any, made: AudioSimulator[Any], sound: np.ndarray) -> None:
    """Waveforms, and the spectrogram of the second channel, before and after."""
    settings = KINDS.get(made.name, ({},))[0]
    out, truth = impair_samples(
        made, sound, RATE_HZ, span=SPAN, seed=SEED, severity=4, overrides=settings
    )
    figure, axes = plt.subplots(
        2, 2, figsize=(12.8, 4.6), layout="constrained", height_ratios=(1, 2)
    )
    times = np.arange(len(sound)) / RATE_HZ
    for column, (title, data) in enumerate((("before", sound), ("severity 4", out))):
        for channel, color in ((0, "tab:blue"), (1, "tab:orange")):
            lifted = data[::12, channel] + 1 - 2 * channel
            axes[0, column].plot(times[::12], lifted, lw=0.4, color=color)
        axes[0, column].set(ylim=(-2, 2), xlim=(0, times[-1]), yticks=())
        axes[0, column].set_title(title, fontsize=9)
        side = 1 if data.shape[1] > 1 else 0
        noise = 1e-6 * np.random.default_rng(0).standard_normal(len(data))
        axes[1, column].specgram(
            data[:, side] + noise, NFFT=1024, Fs=RATE_HZ, noverlap=512, vmin=-130, vmax=-30
        )
        axes[1, column].set(ylim=(0, 16000), xlabel="s")
        axes[1, column].set_ylabel("Hz", fontsize=8)
        for axis in axes[:, column]:
            axis.tick_params(labelsize=8)
    for entry in truth[:200]:
        axes[0, 1].axvspan(entry.start_s, entry.end_s, color="tab:red", alpha=0.15)
    save(plt, figure, made.name)


def draw_captions(plt: Any, made: CueSimulator[Any]) -> None:
    """Cues as bars, before and after."""
    lines = ("We sail at first light,", "said the old captain.")
    cues = [Cue(k * 3.0, k * 3.0 + 2.6, lines) for k in range(10)]
    stream = StreamInfo("film.vtt", "captions", 30.0, None, None, has_captions=True)
    plan = made.plan(stream, Interval(7.0, 23.0), seed=SEED, severity=4)
    truth: list[Any] = []
    after = made.change(cues, plan, truth)
    figure, axis = plt.subplots(figsize=(12.8, 1.5), layout="constrained")
    for height, (color, shown) in enumerate((("tab:red", after), ("0.6", cues))):
        for k, cue in enumerate(shown):
            box = (cue.start_s, cue.end_s - cue.start_s)
            axis.broken_barh([box], (height + 0.1 + 0.22 * (k % 2), 0.5), color=color, alpha=0.7)
            axis.text(cue.start_s, height + 0.72, f"{sum(map(len, cue.lines))}", fontsize=7)
    for entry in truth:
        axis.axvspan(entry.start_s, entry.end_s, color="tab:blue", alpha=0.12)
    axis.set(yticks=(0.4, 1.4), yticklabels=("after", "before"), xlim=(0, 31), xlabel="s")
    axis.tick_params(labelsize=8)
    save(plt, figure, made.name)


def save(plt: Any, figure: Any, name: str) -> None:
    """Writes a figure small enough to be kept in the repository."""
    figure.savefig(FOLDER / f"{name}.jpg", dpi=75, pil_kwargs={"quality": 82, "optimize": True})
    plt.close(figure)
    print(f"{name}.jpg", (FOLDER / f"{name}.jpg").stat().st_size // 1024, "KB")


def draw(only: str | None) -> None:
    """Draws every frame of the gallery, or that of one simulator."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    FOLDER.mkdir(exist_ok=True)
    look = Look(sky=0.35, pan_px_per_s=(180.0, 8.0), object_px_per_s=240.0, objects=5)
    footage = Footage(seed=12, width=WIDTH, height=HEIGHT, frames=FRAMES, look=look)
    frames, stream = list(footage), video_stream(WIDTH, HEIGHT, FRAMES, RATE)
    speech = np.repeat(speech_like(3, 3.0, RATE_HZ), 2, axis=1)
    sound = (music_like(2, 3.0, RATE_HZ) * 0.6 + speech).astype(np.float32)
    chosen = [made for name, made in simulators().items() if only in (None, name)]
    for made in chosen:
        if made.name in IN_TIME and isinstance(made, VideoSimulator):
            draw_in_time(plt, made, frames, stream)
        elif isinstance(made, VideoSimulator):
            draw_frames(plt, made, frames, stream)
        elif isinstance(made, AudioSimulator):
            draw_sound(plt, made, sound)
        elif isinstance(made, CueSimulator):
            draw_captions(plt, made)


def has_video(made: Simulator[Any]) -> bool:
    """Tells whether the gallery shows this simulator."""
    return isinstance(made, VideoSimulator | AudioSimulator | CueSimulator)


def page() -> str:
    """Returns the text of the gallery."""
    out = [
        "# Simulated defects",
        "",
        "Every defect that `defectscope simulate` makes, on material that is itself synthesised.",
        "Severity 1 is barely perceptible, 3 clearly perceptible, 5 gross. Curves show the",
        "material in grey and the impaired copy in red; the shaded interval is what the truth file",
        "says. Bars of captions carry their number of characters. This page and its frames are",
        "made by `python benchmarks/gallery.py`.",
        "",
    ]
    for made in simulators().values():
        out += [f"## {made.name}", "", f"{made.summary[0].upper()}{made.summary[1:]}.", ""]
        if has_video(made):
            out += [f"![{made.name}: {made.summary}](gallery/{made.name}.jpg)", ""]
        out += table(made.params).splitlines()
        out.append("")
    out += [
        "## Hard negatives",
        "",
        "Material that looks or sounds like a defect and is none. The detectors named must find",
        "nothing in it.",
        "",
        "| hard negative | what it is | silent detectors |",
        "|---|---|---|",
    ]
    out += [f"| `{t.name}` | {t.summary} | {', '.join(t.silent)} |" for t in HARD_NEGATIVES]
    return "\n".join(out) + "\n"


def main() -> None:
    """Draws, unless only the page is asked for, and writes the page."""
    parser = argparse.ArgumentParser(description="Makes docs/gallery.md and its images.")
    parser.add_argument("--page", action="store_true", help="write the page alone")
    parser.add_argument("--only", metavar="NAME", help="draw the image of this simulator alone")
    arguments = parser.parse_args()
    if not arguments.page:
        draw(arguments.only)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
