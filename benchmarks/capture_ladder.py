"""Which rungs of its ladder a real browser showed, told from its captures beside the master.

    python benchmarks/capture_ladder.py WORK [--title FILE]

Chromium plays one title through Media Source Extensions and is handed fragments of other rungs on
the way (benchmarks/reference_device.py). The page logs the height of every frame that it shows;
`capture read --master` measures the height from the captured screen.
"""

from __future__ import annotations

import argparse
import json
from fractions import Fraction
from pathlib import Path

import reference_device
from capture_sessions import title_frames
from reference_device import HEIGHT, Plan, device, make_title

from defectscope.release.shown import shown_of

SECONDS = 18.0
RUNGS = (90, 144, 180, 240)
PLANS = (
    ((0, 360), (4, 180), (8, 240), (12, 360)),
    ((0, 144), (3, 240), (7, 360), (12, 90)),
    ((0, 90), (2, 180), (5, 360)),
)


def main() -> None:
    """Plays, captures and prints a line of JSON for each plan."""
    parser = argparse.ArgumentParser(description="Rungs of a ladder, captured")
    parser.add_argument("work", type=Path)
    parser.add_argument("--title", type=Path, help="a recording to play; default: moving leaves")
    arguments = parser.parse_args()
    folder: Path = arguments.work / "device"
    folder.mkdir(parents=True, exist_ok=True)

    def write(path: Path, lines: int, crf: float) -> None:
        frames = None if arguments.title is None else title_frames(arguments.title, SECONDS)
        make_title(path, frames, seconds=SECONDS, lines=lines, crf=crf)

    master = arguments.work / "master.mp4"
    write(master, HEIGHT, 14.0)
    write(folder / reference_device.TITLE, HEIGHT, 23.0)
    for lines in RUNGS:
        write(folder / f"{lines}.mp4", lines, 23.0)
    names = {lines: f"{lines}.mp4" for lines in RUNGS} | {HEIGHT: reference_device.TITLE}
    with device(folder) as player:
        for number, plan in enumerate(PLANS):
            rungs = tuple({"at_part": part, "file": names[lines]} for part, lines in plan)
            path = arguments.work / f"ladder-{number}.session.json"
            session, log = player.run(Plan(0.4, SECONDS, rungs=rungs), path, rate=Fraction(30))
            frames = [entry for entry in log if entry["what"] == "frame"]
            truth = [
                (round(e["at_ms"] / 1000 - session.began_at, 2), e["lines"])
                for before, e in zip([None, *frames], frames, strict=False)
                if before is None or before["lines"] != e["lines"]
            ]
            print(json.dumps({"logged": truth, **shown_of(path, master).to_dict()}))


if __name__ == "__main__":
    main()
