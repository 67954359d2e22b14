"""Cuts a programme of live_programme.py anew: other order of its groups of pictures, other sound.

    python benchmarks/live_recut.py IN.ts OUT.ts --groups 0-13,17-23 --sound FILE --second FILE
        [--gain DB] [--second-gain DB] [--faults]

Every group is 2 s and closed, so that nothing is encoded but sound: minutes less than a programme
made anew once `defectscope analyze` has found something in one of its clips. Groups may come twice.
With --faults the sound is broken as the picture of IN.ts was, at the same times.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from live_programme import (
    AAC_SAMPLES,
    FAULTS,
    GROUP_FRAMES,
    HEIGHT,
    RATE,
    SAMPLE_RATE_HZ,
    UNIT_S,
    WIDTH,
    sound_of,
)

_TICKS = 90_000 // RATE


def groups_of(path: Path) -> list[list[tuple[int, int, bytes, bool]]]:
    """Returns (pts, dts, data, key) of every picture, by group, in frames from the group's own."""
    found: list[list[tuple[int, int, bytes, bool]]] = []
    with av.open(str(path)) as container:
        origin: int | None = None
        for packet in container.demux(video=0):
            if packet.pts is None or packet.dts is None:
                continue
            if origin is None:
                origin = packet.pts
            pts, dts = ((at - origin) / _TICKS for at in (packet.pts, packet.dts))
            if packet.is_keyframe:
                found.append([])
            first = (len(found) - 1) * GROUP_FRAMES
            found[-1].append(
                (round(pts) - first, round(dts) - first, bytes(packet), bool(packet.is_keyframe))
            )
    return found


def numbers_of(text: str) -> list[int]:
    """Returns the numbers of `0-3,7`."""
    ends = [part.split("-") for part in text.split(",")]
    return [number for end in ends for number in range(int(end[0]), int(end[-1]) + 1)]


def sounds(track: Any, voice: np.ndarray, runs: int) -> Iterator[tuple[Fraction, Any]]:
    """Yields a track's packets with when they are due."""
    for at in range(0, voice.shape[1], 1920):
        data = np.ascontiguousarray(voice[:, at : at + 1920])
        run = av.AudioFrame.from_ndarray(data, format="fltp", layout="stereo")
        run.sample_rate, run.pts, run.time_base = SAMPLE_RATE_HZ, at, Fraction(1, SAMPLE_RATE_HZ)
        for packet in track.encode(run):
            if runs:
                runs -= 1
                yield packet.dts * packet.time_base, packet
    for packet in track.encode(None):
        if runs:
            runs -= 1
            yield packet.dts * packet.time_base, packet


def main() -> None:
    """Cuts one programme."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--groups", required=True)
    parser.add_argument("--sound", type=Path, required=True)
    parser.add_argument("--second", type=Path, required=True)
    parser.add_argument("--gain", type=float, default=0.0)
    parser.add_argument("--second-gain", type=float, default=0.0)
    parser.add_argument("--faults", action="store_true")
    a = parser.parse_args()
    groups, numbers = groups_of(a.source), numbers_of(a.groups)
    seconds = len(numbers) * GROUP_FRAMES / RATE
    if abs(seconds / UNIT_S - round(seconds / UNIT_S)) > 1e-6:
        raise SystemExit(f"{seconds:g} s are no whole runs of sound: take a multiple of {UNIT_S} s")
    faults = [f for f in FAULTS if f[2] <= seconds] if a.faults else []
    options = {"pcr_period": "20", "muxrate": "0", "mpegts_flags": "+resend_headers"}
    out = av.open(str(a.out), "w", format="mpegts", options=options)
    stream: Any = out.add_stream("libx264", rate=RATE)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    waiting: list[tuple[Fraction, int, Any, Any]] = []
    for place, number in enumerate(numbers):
        for pts, dts, data, key in groups[number]:
            packet: Any = av.Packet(data)
            packet.pts, packet.dts = pts + place * GROUP_FRAMES, dts + place * GROUP_FRAMES
            packet.time_base, packet.is_keyframe = Fraction(1, RATE), key
            waiting.append((Fraction(packet.dts, RATE), 0, stream, packet))
    runs = round(seconds * SAMPLE_RATE_HZ / AAC_SAMPLES)
    for number, (path, gain_db, language) in enumerate(
        ((a.sound, a.gain, "eng"), (a.second, a.second_gain, "deu"))
    ):
        track: Any = out.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="stereo")
        track.codec_context.bit_rate = 128_000
        track.metadata["language"] = language
        voice = sound_of(path, seconds, gain_db)
        for kind, start_s, end_s in faults:
            part = slice(round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ))
            if kind == "audio_dropout" and not number:
                voice[:, part] = 0
            if kind == "phase_inversion" and not number:
                voice[1, part] *= -1
        waiting += [(at, number + 1, track, packet) for at, packet in sounds(track, voice, runs)]
    for _, _, target, packet in sorted(waiting, key=lambda item: item[:2]):
        packet.stream = target
        out.mux(packet)
    out.close()
    truth = [{"defect": k, "start_s": s, "end_s": e} for k, s, e in faults]
    facts = {"seconds": seconds, "groups": a.groups, "of": a.source.name, "faults": truth}
    a.out.with_suffix(".json").write_text(json.dumps(facts | {"clips": []}, indent=1))
    print(f"{a.out}: {seconds:g} s, {a.out.stat().st_size * 8 / seconds:.0f} bit/s")


if __name__ == "__main__":
    main()
