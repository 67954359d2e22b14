"""Channels on a core, by format, beside FFmpeg with the filters that look for the same.

    python benchmarks/live_capacity.py PROGRAMME.ts OUT.json [--seconds 30] [--only 720p25 ...]
        [--streams FOLDER] [--no-networks]

PROGRAMME.ts is made by live_programme.py. Each format is encoded from it once (H.264, two sound
tracks, grain so that the bit rate is that of a real channel), and then watched in turn by this
project, with and without detectors that need a network, and by FFmpeg with blackdetect,
freezedetect, silencedetect and ebur128, which decodes with one thread, too. Figures are processor
time per second of programme; the start of this project's process is left out of its own. What the
detectors with a network cost is measured over 6 s that they look at, after they have looked once.
With --streams what was encoded is kept and used again: a run on a quiet machine is shorter then.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from live_cost import watch

SOURCE = Path(__file__).parents[1] / "src"
# Raster, frames a second, bit rate of the picture.
FORMATS = {
    "720p25": (1280, 720, 25, 4_000_000),
    "1080p25": (1920, 1080, 25, 8_000_000),
    "1080p50": (1920, 1080, 50, 12_000_000),
    "2160p25": (3840, 2160, 25, 20_000_000),
}
SHARE_USED = 0.6
# Share of the programme that networks look at, where they look at suspects.
LEARNED_SHARE = 0.02
_LOOK = """
import sys, time
from defectscope import analyze
from defectscope.monitor.overload import LEARNED
for _ in range(2):
    began = time.process_time()
    analyze(sys.argv[1], detectors=sorted(LEARNED), end_s=6.0)
    spent = time.process_time() - began
print(spent / 6.0)
"""
CHANNELS = 1000


def children_s() -> float:
    """Returns processor time of all children that have ended, seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def encode(ffmpeg: str, source: Path, made: Path, name: str, seconds: float) -> None:
    """Writes a programme in a format as a transport stream."""
    width, height, rate, bits = FORMATS[name]
    command = [
        *(ffmpeg, "-nostdin", "-loglevel", "error", "-y", "-i", str(source), "-t", str(seconds)),
        *(
            "-map",
            "0:v",
            "-map",
            "0:a",
            "-vf",
            f"fps={rate},scale={width}:{height},noise=alls=5:allf=t",
        ),
        *("-c:v", "libx264", "-preset", "superfast", "-bf", "2"),
        *("-g", str(rate), "-b:v", str(bits), "-maxrate", str(bits), "-bufsize", str(bits)),
        *("-c:a", "copy", "-f", "mpegts", str(made)),
    ]
    subprocess.run(command, check=True)


def filtered(ffmpeg: str, file: Path, seconds: float) -> float:
    """Returns FFmpeg's processor time per second of programme."""
    command = [
        *(ffmpeg, "-nostdin", "-loglevel", "error", "-threads", "1", "-filter_threads", "1"),
        *("-i", str(file), "-map", "0:v:0", "-map", "0:a"),
        *("-vf", "blackdetect,freezedetect", "-af", "silencedetect,ebur128=peak=true"),
        *("-f", "null", "-"),
    ]
    before = children_s()
    subprocess.run(command, check=True)
    return (children_s() - before) / seconds


def looking(file: Path) -> float:
    """Returns the processor time per second of what detectors with a network look at."""
    ran = subprocess.run(
        [sys.executable, "-c", _LOOK, str(file)],
        env={**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return float(ran.stdout)


def measured(ffmpeg: str, file: Path, seconds: float, networks: bool) -> dict[str, Any]:
    """Returns what a format costs, all ways in turn."""
    ours = watch(str(SOURCE), file, "NONE")
    peer = filtered(ffmpeg, file, seconds)
    row: dict[str, Any] = {
        "bit_rate": round(file.stat().st_size * 8 / seconds),
        "cost": ours["cost"],
        "deciding": ours["decide"],
        "peak_mb": ours["peak_mb"],
        "ffmpeg_cost": peer,
        "of_ffmpeg": ours["cost"] / peer,
        "channels_per_core": 1 / ours["cost"],
        "ffmpeg_channels_per_core": 1 / peer,
        "cores_for_1000": CHANNELS * ours["cost"] / SHARE_USED,
    }
    if not networks:
        return row
    looked = looking(file)
    row |= {
        "learned_cost": looked,
        "channels_per_core_learned": 1 / (ours["cost"] + LEARNED_SHARE * looked),
    }
    return row


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("programme", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--streams", type=Path, help="folder that keeps what was encoded")
    parser.add_argument("--no-networks", action="store_true")
    parser.add_argument("--only", nargs="*", choices=FORMATS, default=list(FORMATS))
    a = parser.parse_args()
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        parser.error("there is no ffmpeg")
    found: dict[str, Any] = json.loads(a.out.read_text()) if a.out.exists() else {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = a.streams or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for name in a.only:
            file = folder / f"{name}.ts"
            if not file.exists():
                part = file.with_suffix(".part")
                encode(ffmpeg, a.programme, part, name, a.seconds)
                part.rename(file)
            row = measured(ffmpeg, file, a.seconds, not a.no_networks)
            row["load"] = os.getloadavg()[0]
            found[name] = row
            a.out.write_text(json.dumps(found, indent=1))
            print(name, json.dumps(row), flush=True)
            if a.streams is None:
                file.unlink()


if __name__ == "__main__":
    main()
