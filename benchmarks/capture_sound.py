"""What a real browser let a viewer hear, told from captures and held against the page's own log.

    python benchmarks/capture_sound.py WORK [--only N,N] [--detectors A,B]

Chromium plays a title with sound to a sound server without a loudspeaker (PulseAudio's null sink),
on a screen of its own (benchmarks/reference_device.py); screen and sound are captured together. The
page mutes itself after some of its switches, as a player does that loses its sound there. Needs
Xvfb, Chromium and PulseAudio with ALSA's plug-in (apt: xvfb chromium pulseaudio
libasound2-plugins).
"""

from __future__ import annotations

import argparse
import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import reference_device
from reference_device import Plan, device, make_title, speaker

from defectscope.capture.reading import SessionReading, read_captured
from defectscope.compare.alignment import NotComparableError
from defectscope.media.sound_grabbing import SoundSpec
from defectscope.release.shown import shown_of

SECONDS = 20.0
# Sound and picture are compared at this; the page logs neither's way to screen and loudspeaker.
NEAR_S = 0.25


def switch(after_s: float, to_s: float, *, mute: bool = False) -> dict[str, Any]:
    """Returns a switch of a plan."""
    return {"after_s": after_s, "to_s": to_s, "mute": mute}


PLANS = (
    Plan(0.4, 9.0, sounds=True),
    Plan(0.4, 10.0, sounds=True, switches=(switch(4.0, 12.0),)),
    Plan(0.8, 10.0, sounds=True, switches=(switch(4.0, 12.0, mute=True),)),
    Plan(0.4, 12.0, sounds=True, switches=(switch(3.0, 12.0, mute=True), switch(7.0, 2.0))),
    Plan(0.5, 11.0, sounds=True, stalls=({"at_part": 3, "length_s": 1.5},)),
    Plan(
        0.6,
        12.0,
        sounds=True,
        stalls=({"at_part": 2, "length_s": 1.0},),
        switches=(switch(6.0, 14.0, mute=True),),
    ),
    Plan(1.5, 10.0, sounds=True, seeks=({"after_s": 4.0, "to_s": 11.0},)),
    Plan(0.3, 12.0, sounds=True, switches=(switch(3.0, 9.0), switch(6.5, 1.0, mute=True))),
)


def compared(plan: Plan, log: list[dict[str, Any]], reading: SessionReading) -> dict[str, Any]:
    """Returns what was heard beside what the plan and the page's log say of it."""
    sound, began_at = reading.sound, reading.session.began_at
    assert sound is not None

    def when(name: str) -> list[float]:
        return [e["at_ms"] / 1000 - began_at for e in log if e["what"] == name]

    waits = [
        (at_s, min(end_s for end_s in when("playing") if end_s >= at_s))
        for at_s in when("waiting")
        if not any(abs(at_s - seek_s) < NEAR_S for seek_s in when("seeking"))
    ]
    stalled = [s.interval for s in sound.silences if s.cause == "stall"]
    return {
        "first_sound_less_first_frame_s": round(
            (sound.first_sound_s or 0.0) - (reading.waits.first_frame_s or 0.0), 3
        ),
        "lost": [int(bool(item["mute"])) for item in plan.switches],
        "told_lost": [int(one.lost) for one in sound.jumps if one.jump.name == "switch"],
        "seeks_told_lost": sum(one.lost for one in sound.jumps if one.jump.name == "seek"),
        "stalls": len(plan.stalls),
        "silences_of_stalls": [
            [round(s.start_s - a, 3), round(s.end_s - b, 3)]
            for s, (a, b) in zip(stalled, waits, strict=False)
        ],
        "other_silences": [
            [round(s.interval.start_s, 2), round(s.interval.end_s, 2), s.cause]
            for s in sound.silences
            if s.cause != "stall"
        ],
        "health": reading.health.verdict,
        "sound_gaps": len(reading.health.sound_gaps),
    }


def missing(path: Path, master: Path) -> list[list[float]] | str:
    """Returns where sound is missing beside the master, or why that cannot be told."""
    try:
        return shown_of(path, master).to_dict()["missing_sound"]
    except NotComparableError as error:
        return error.message


def main() -> None:
    """Captures the runs, reads them, and prints a line of JSON for each."""
    parser = argparse.ArgumentParser(description="Sound of a real browser, captured")
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", help="numbers of runs")
    parser.add_argument("--detectors", default="none", help="to run over the captures")
    arguments = parser.parse_args()
    folder: Path = arguments.work / "device"
    folder.mkdir(parents=True, exist_ok=True)
    master = folder / reference_device.TITLE
    make_title(master, seconds=SECONDS, sounds=True)
    plans = dict(enumerate(PLANS, 1))
    if arguments.only:
        plans = {int(n): plans[int(n)] for n in arguments.only.split(",")}
    names = [] if arguments.detectors == "none" else arguments.detectors.split(",")
    with speaker(folder) as found:
        os.environ.update(found)
        with device(folder, found) as player:
            for number, plan in plans.items():
                path = arguments.work / f"sound-{number:02d}.session.json"
                sound = SoundSpec("pulse")
                _, log = player.run(plan, path, rate=Fraction(30), sound=sound)
                reading = read_captured(path, detectors=names)
                made = {
                    "run": number,
                    **compared(plan, log, reading),
                    "missing_sound": missing(path, master),
                }
                if names:
                    made["of_device"] = [f.detector for f in reading.of_device()]
                print(json.dumps(made), flush=True)


if __name__ == "__main__":
    main()
