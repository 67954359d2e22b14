"""Draws the page's screenshots of the documentation from media that the project makes itself.

python benchmarks/page_screenshots.py --work runs/page
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import chromium
import numpy as np

from defectscope.findings import Interval, Report
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.writer import write_clip
from defectscope.report import write
from defectscope.simulate.effects.arrays import impair_frames, impair_samples, video_stream
from defectscope.simulate.registry import simulator
from defectscope.simulate.synthetic.material import Footage
from defectscope.simulate.synthetic.soundscape import music_like, runs_of

WIDTH_PX, HEIGHT_PX, RATE_HZ, LENGTH_S = 960, 540, 48_000, 20.0
RATE = Fraction(25)
VIDEO = (("block_corruption", 4.0, 5.2), ("freeze", 9.0, 10.5), ("black_frames", 15.0, 16.2))
SOUND = (("audio_hum", 6.0, 8.5), ("audio_dropout", 12.0, 12.6))
CAPTIONS = """WEBVTT

00:01.000 --> 00:03.000
A hill, and a cloud above it.

00:10.800 --> 00:11.600
This one has far more words than anybody reads in so short a time.

00:17.000 --> 00:19.000
The end.
"""
# Name, width, height, colours, which defect is shown, tab.
SHOTS = (
    ("page_light", 1440, 900, "light", "block corruption", "findings"),
    ("page_dark", 1440, 900, "dark", "audio", "findings"),
    ("page_rules", 1440, 900, "light", "black", "rules"),
    ("page_captions", 1440, 900, "light", "caption speed", "findings"),
    ("page_tablet", 1024, 768, "dark", "freeze", "findings"),
    ("page_phone", 420, 860, "light", "block corruption", "findings"),
)


def make(folder: Path) -> Path:
    """Writes the media with its faults, and captions; returns the media's path."""
    count = round(LENGTH_S * RATE)
    frames = list(
        Footage(seed=5, width=WIDTH_PX, height=HEIGHT_PX, rate=RATE, frames=count, cuts_s=(7.0,))
    )
    sound = (0.4 * music_like(4, LENGTH_S, RATE_HZ)).astype(np.float32)
    stream = video_stream(WIDTH_PX, HEIGHT_PX, count, RATE)
    for name, start_s, end_s in VIDEO:
        span = Interval(start_s, end_s)
        frames, _ = impair_frames(
            cast("Any", simulator(name)), frames, stream, span=span, seed=3, severity=4.0
        )
    for name, start_s, end_s in SOUND:
        span = Interval(start_s, end_s)
        sound, _ = impair_samples(
            cast("Any", simulator(name)), sound, RATE_HZ, span=span, seed=3, severity=5.0
        )
    path = folder / "feature_reel_1.mp4"
    write_clip(
        path,
        frames=frames,
        runs=runs_of(sound),
        video=VideoEncoding(WIDTH_PX, HEIGHT_PX, RATE, crf=18.0, gop_frames=25, b_frames=0),
        audio=AudioEncoding(RATE_HZ, "stereo", "aac"),
    )
    (folder / "feature_reel_1.vtt").write_text(CAPTIONS, "utf-8")
    return path


def main() -> None:
    """Makes the media once, analyzes it once, and draws the page anew."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("runs/page"))
    parser.add_argument("--out", type=Path, default=Path("docs/page"))
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    page = arguments.work / "report.html"
    stored = arguments.work / "report.json"
    captions = arguments.work / "feature_reel_1.vtt"
    media = arguments.work / "feature_reel_1.mp4"
    if not stored.exists():
        make(arguments.work)
        subprocess.run(
            [sys.executable, "-m", "defectscope", "analyze", media.name, "--captions",
             captions.name, "--profile", "netflix-branded", "--json", stored.name],
            cwd=arguments.work, stdout=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    write(Report.from_json(stored.read_bytes()), page, media, captions=captions)
    with chromium.headless() as browser:
        for name, width, height, scheme, words, tab in SHOTS:
            shown: Any = browser.new_page(
                viewport={"width": width, "height": height}, color_scheme=cast("Any", scheme)
            )
            shown.goto(page.resolve().as_uri())
            shown.wait_for_selector("html[data-ready]")
            shown.click(f"#tab-{tab}")
            rows = shown.locator(".row", has_text=words)
            if rows.count() and tab == "findings":
                rows.first.click()
            shown.wait_for_timeout(500)
            target = arguments.out / f"{name}.jpg"
            shown.screenshot(path=str(target), type="jpeg", quality=55)
            shown.close()


if __name__ == "__main__":
    main()
