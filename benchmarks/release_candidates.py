"""A baseline and three candidates of a real player, captured and compared.

    python benchmarks/release_candidates.py WORK [--sessions N] [--read-only]
    python benchmarks/release_candidates.py --simulated [--matrices N]

Chromium plays two titles by drawn plans (benchmarks/reference_device.py). `equal` is the baseline's
player again; `slow_start` is ready 0.3 s later; `stalls` waits once more in a session. With
`--simulated`, how often equal builds are called worse is counted over made-up matrices.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import reference_device
from reference_device import TITLE_FPS, Plan, device, make_title

from defectscope.capture.reading import read_captured
from defectscope.capture.session import DeviceFacts
from defectscope.release import Run, compare_releases, read_runs

BUILDS = ("base", "equal", "slow_start", "stalls")
TITLES = ("leaves", "drift")
SECONDS = 5.0


def drawn(build: str, rng: random.Random) -> Plan:
    """Returns a plan with the spread that networks give, and what the build adds to it."""
    launch_s = max(0.1, rng.gauss(0.5, 0.08)) + (0.3 if build == "slow_start" else 0.0)
    parts = [2] if rng.random() < 0.3 else []
    if build == "stalls":
        parts.append(3)
    stalls = tuple({"at_part": part, "length_s": rng.uniform(0.5, 1.2)} for part in parts)
    return Plan(launch_s, SECONDS, stalls=stalls)


def capture(work: Path, sessions: int) -> None:
    """Captures every build on every title, in turns, so that all meet the same machine."""
    rng = random.Random(11)
    for number, title in enumerate(TITLES):
        folder = work / title
        folder.mkdir(parents=True, exist_ok=True)
        make_title(folder / reference_device.TITLE, seed=21 + number)
        with device(folder) as player:
            for k in range(sessions):
                for build in BUILDS:
                    path = work / build / f"{title}-{k:02d}.session.json"
                    path.parent.mkdir(exist_ok=True)
                    facts = DeviceFacts(
                        name="chromium", app_build=build, title=title, title_fps=float(TITLE_FPS)
                    )
                    player.run(drawn(build, rng), path, facts=facts)


def simulated(matrices: int) -> Iterator[tuple[str, float]]:
    """Yields the share called worse of matrices of 3 devices and 4 titles, 5 sessions in each."""
    rng = np.random.default_rng(17)
    for name, slower_s, more in (
        ("equal", 0.0, 1.0),
        ("0.1 s slower", 0.1, 1.0),
        ("+50 %", 0.0, 1.5),
    ):
        verdicts: list[str] = []
        for _ in range(matrices):
            rates = rng.gamma(0.7, 1.0, 12)
            starts_s = rng.lognormal(-0.3, 0.5, 12)
            sides = [
                [
                    Run(
                        f"{cell}-{k}",
                        str(cell // 4),
                        str(cell % 4),
                        "",
                        {
                            "startup_s": float(starts_s[cell] * rng.lognormal(0, 0.15)) + late_s,
                            "stalls": float(rng.poisson(rates[cell] * factor)),
                            "stalled_s": float(rng.gamma(0.5 + rates[cell] * factor, 0.8)),
                            "findings": float(rng.poisson(2 * rates[cell] * factor)),
                        },
                    )
                    for cell in range(12)
                    for k in range(5)
                ]
                for late_s, factor in ((0.0, 1.0), (slower_s, more))
            ]
            verdicts.append(compare_releases(*sides).verdict)
        yield name, verdicts.count("worse") / matrices


def main() -> None:
    """Captures and compares, and prints a line of JSON for each candidate."""
    parser = argparse.ArgumentParser(description="A baseline and three candidates, captured")
    parser.add_argument("work", type=Path, nargs="?", default=Path("release-candidates"))
    parser.add_argument("--sessions", type=int, default=5, help="of each build on each title")
    parser.add_argument("--read-only", action="store_true", help="read what was captured before")
    parser.add_argument("--simulated", action="store_true", help="count verdicts over matrices")
    parser.add_argument("--matrices", type=int, default=200)
    arguments = parser.parse_args()
    if arguments.simulated:
        for name, share in simulated(arguments.matrices):
            print(json.dumps({"candidate": name, "called_worse": share}), flush=True)
        return
    if not arguments.read_only:
        capture(arguments.work, arguments.sessions)
    read = {
        build: read_runs(arguments.work / build, lambda path: read_captured(path, detectors=[]))
        for build in BUILDS
    }
    for build in BUILDS[1:]:
        found = compare_releases(read["base"], read[build]).to_dict()
        told = ("verdict", "reasons", "measures", "builds")
        print(json.dumps({"candidate": build, **{name: found[name] for name in told}}))


if __name__ == "__main__":
    main()
