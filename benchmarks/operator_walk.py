"""A QC operator's walk: a delivery of 12 files, two waivers, a redelivery, two editors' formats.

Everything is done as an operator would, by the command line and by clicks and keys in the pages in
headless Chromium; what each step took is written down. The machine's time alone is counted: nobody
watches or thinks here.

    python benchmarks/operator_walk.py --work runs/walk
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import chromium
import numpy as np

from defectscope.findings import Interval, Report
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.writer import write_clip
from defectscope.simulate.effects.arrays import impair_frames, impair_samples, video_stream
from defectscope.simulate.registry import simulator
from defectscope.simulate.synthetic.material import Footage
from defectscope.simulate.synthetic.soundscape import music_like, runs_of

WIDTH_PX, HEIGHT_PX, RATE_HZ, LENGTH_S = 320, 176, 48_000, 6.0
RATE = Fraction(25)
FILES = 12
# Which file holds which fault, from when to when. The first two are accepted: they are meant.
FAULTS: dict[int, tuple[str, float, float]] = {
    1: ("freeze", 3.0, 4.6),
    4: ("black_frames", 2.0, 3.2),
    6: ("audio_dropout", 2.5, 3.1),
    8: ("test_pattern", 1.0, 2.5),
    10: ("letterbox", 2.0, 4.5),
}
ACCEPTED = (1, 4)
DETECTORS = "black_frames,freeze,audio_dropout,test_pattern,letterbox,stream_integrity"
PROFILE = """
[profile]
id = "walk"
title = "House delivery"
edition = "1"
about = "What the walk asks for."

[sources.contract]
title = "Delivery contract"
edition = "1"
states = "annex 1"
"""
RULE = """
[[rules]]
id = "no-{name}"
title = "No {words}"
source = "contract"
code = "V-{number}"
detector = "{name}"
unit = "runs"
"""


def make(path: Path, number: int, fault: tuple[str, float, float] | None) -> None:
    """Writes one file of the delivery."""
    count = round(LENGTH_S * RATE)
    frames = list(Footage(seed=number, width=WIDTH_PX, height=HEIGHT_PX, rate=RATE, frames=count))
    sound = (0.3 * music_like(number, LENGTH_S, RATE_HZ)).astype(np.float32)
    if fault is not None:
        name, start_s, end_s = fault
        span = Interval(start_s, end_s)
        if name.startswith("audio"):
            sound, _ = impair_samples(
                simulator(name), sound, RATE_HZ, span=span, seed=7, severity=5.0
            )
        else:
            stream = video_stream(WIDTH_PX, HEIGHT_PX, count, RATE)
            frames, _ = impair_frames(
                simulator(name), frames, stream, span=span, seed=7, severity=5.0
            )
    write_clip(
        path,
        frames=frames,
        runs=runs_of(sound),
        video=VideoEncoding(WIDTH_PX, HEIGHT_PX, RATE, crf=16.0, gop_frames=25, b_frames=0),
        audio=AudioEncoding(RATE_HZ, "stereo", "aac"),
    )


class Walk:
    """What was done, how long it took, and with how many clicks and keys."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self.clicks = self.keys = 0

    @contextmanager
    def step(self, words: str) -> Iterator[dict[str, Any]]:
        """Notes what happens inside as one step."""
        clicks, keys, began_s = self.clicks, self.keys, time.monotonic()
        entry: dict[str, Any] = {"step": words}
        yield entry
        entry |= {
            "seconds": round(time.monotonic() - began_s, 2),
            "clicks": self.clicks - clicks,
            "keys": self.keys - keys,
        }
        self.steps.append(entry)
        print(entry, flush=True)

    def click(self, place: Any) -> None:
        """Clicks, and counts it."""
        place.click()
        self.clicks += 1

    def press(self, page: Any, *keys: str) -> None:
        """Presses keys, and counts them."""
        for key in keys:
            page.keyboard.press(key)
            self.keys += 1

    def type(self, page: Any, text: str) -> None:
        """Types a text, and counts its keys."""
        page.keyboard.type(text)
        self.keys += len(text)


def command(*arguments: str, expect: tuple[int, ...] = (0,)) -> None:
    """Runs defectscope as a shell would.

    Raises:
        RuntimeError: It ended in another way than expected.
    """
    done = subprocess.run(
        [sys.executable, "-m", "defectscope", *arguments], capture_output=True, text=True
    )
    if done.returncode not in expect:
        raise RuntimeError(f"{arguments} gave {done.returncode}: {done.stdout}{done.stderr}")


@contextmanager
def served(*arguments: str) -> Iterator[str]:
    """Serves pages and gives their address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "defectscope", "report", *arguments, "--serve"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    try:
        yield next(line.strip() for line in process.stderr if line.startswith("http://"))
    finally:
        process.terminate()
        process.wait(timeout=20)


def verdicts(folder: Path) -> dict[str, str]:
    """Returns the verdict of each file of a run."""
    reports = (Report.from_json(path.read_bytes()) for path in sorted(folder.glob("*.json")))
    return {Path(str(r.asset["uri"])).name: r.verdict for r in reports}


def review(walk: Walk, browser: Any, out: Path, house: Path) -> None:
    """Looks at every failed file in the pages, accepts two findings and confirms three."""
    with served(str(out), "--profile", str(house)) as address:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        with walk.step("the list of all files, the worst first"):
            page.goto(address)
        failed = page.locator("tr", has=page.locator("strong.fail")).all_inner_texts()
        assert len(failed) == len(FAULTS), failed
        for number in FAULTS:
            name = f"episode_{number:02d}"
            words = "accept" if number in ACCEPTED else "confirm"
            with walk.step(f"{name}: open, play the finding in a loop, {words} it"):
                walk.click(page.locator("tr", has_text=name).locator("a"))
                page.wait_for_selector("html[data-ready]")
                page.wait_for_function("() => document.getElementById('video').readyState >= 2")
                walk.press(page, "l")
                page.wait_for_function("() => !document.getElementById('video').paused")
                walk.press(page, " ")
                while page.locator(".waive").count():
                    if number in ACCEPTED:
                        walk.press(page, "a")
                        walk.type(page, "meant")
                    if number == min(FAULTS):
                        walk.click(page.locator(".waive input >> nth=1"))
                        walk.type(page, "A. Op")
                    if number in ACCEPTED:
                        walk.press(page, "Enter")
                    else:
                        walk.press(page, "r")
                    page.wait_for_selector(".decision")
                    walk.press(page, "j")
                stamp = page.inner_text("#stamp")
                assert (stamp == "PASS") == (number in ACCEPTED), (name, stamp)
                page.go_back()
    browser.close()


def exported(folder: Path) -> dict[str, int]:
    """Returns how many markers OpenTimelineIO reads back from both editors' formats."""
    import opentimelineio as otio

    counts = {"Resolve (EDL)": 0, "Premiere (FCP 7 XML)": 0}
    for path in sorted((folder / "edl").glob("*.edl")):
        timeline: Any = otio.adapters.read_from_file(str(path))
        counts["Resolve (EDL)"] += sum(len(c.markers) for c in timeline.find_clips())
    for path in sorted((folder / "markers").glob("*.xml")):
        timeline = otio.adapters.read_from_file(str(path))
        counts["Premiere (FCP 7 XML)"] += len(timeline.tracks.markers)
    return counts


def main() -> None:
    """Walks, and prints the steps as a table of Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("runs/walk"))
    work = parser.parse_args().work
    shutil.rmtree(work, ignore_errors=True)
    delivery, again, out, out2 = (work / n for n in ("delivery", "redelivery", "out", "out2"))
    for folder in (delivery, again):
        folder.mkdir(parents=True)
    house = work / "house.toml"
    rules = [
        RULE.format(name=name, words=name.replace("_", " "), number=k)
        for k, name in enumerate(DETECTORS.split(","), 1)
    ]
    house.write_text(PROFILE + "".join(rules), "utf-8")
    for number in range(FILES):
        make(delivery / f"episode_{number:02d}.mp4", number, FAULTS.get(number))
        kept = FAULTS.get(number) if number in ACCEPTED else None
        make(again / f"episode_{number:02d}.mp4", number, kept)
    common = ("--detectors", DETECTORS, "--profile", str(house), "--workers", "2")
    walk = Walk()
    with walk.step("analyze the folder against the profile, with pages"):
        command("analyze", str(delivery), *common, "--json", str(out), "--html", str(out),
                expect=(1,))  # fmt: skip
    failed = sorted(name for name, verdict in verdicts(out).items() if verdict == "fail")
    assert failed == [f"episode_{n:02d}.mp4" for n in FAULTS], failed
    with chromium.headless() as browser:
        review(walk, browser, out, house)
    with walk.step("analyze the redelivery with the waivers, beside the first"):
        command("analyze", str(again), *common, "--json", str(out2), "--html", str(out2),
                "--waivers", str(out / "waivers.toml"), "--compare", str(out))  # fmt: skip
    assert set(verdicts(out2).values()) == {"pass"}, verdicts(out2)
    with walk.step("markers of the first delivery for two editors' formats"):
        command("analyze", str(delivery), *common, "--json", str(out), "--resume",
                "--edl", str(work / "edl"), "--markers", str(work / "markers"),
                expect=(1,))  # fmt: skip
    findings = sum(
        len(Report.from_json(p.read_bytes()).findings) for p in sorted(out.glob("*.json"))
    )
    markers = exported(work)
    assert set(markers.values()) == {findings}, (markers, findings)
    rows = [f"| {s['step']} | {s['seconds']} | {s['clicks']} | {s['keys']} |" for s in walk.steps]
    total = f"| all | {sum(s['seconds'] for s in walk.steps):.1f} | {walk.clicks} | {walk.keys} |"
    print("| step | seconds | clicks | keys |", "|---|---|---|---|", *rows, total, sep="\n")
    print(json.dumps({"findings": findings, "markers": markers}))


if __name__ == "__main__":
    main()
