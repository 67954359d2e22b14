"""A day of one live channel at a fast clock: what grows, and what the clock's wraps do.

    python benchmarks/live_day.py OUT.json [--hours 27.2] [--detectors NAME ...]

A whole channel (transport, decoder, detectors, alarms) gets a small stream as fast as it can take
it; every clock that it looks at is that of the stream. The 33 bits of the time stamps wrap after
26.5 h: the stream begins shortly before a wrap, so that 27 h hold two. In every loop of 96 s the
picture is black for 6 s and the sound silent for 6 s: so many alarms are to open and to clear, and
no others. Memory is told for every hour.
"""

from __future__ import annotations

import argparse
import gc
import json
import tempfile
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

import defectscope.monitor.channel
import defectscope.monitor.inlet
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.writer import Writer
from defectscope.monitor.alarms import Patience
from defectscope.monitor.channel import Channel
from defectscope.monitor.channel_config import ChannelConfig
from defectscope.monitor.sender import Stream
from defectscope.monitor.session import Pace
from defectscope.monitor.stream_clock import CLOCK_HZ, WRAP_TICKS
from defectscope.simulate.synthetic.material import Look, Scene, frame_of
from defectscope.simulate.synthetic.soundscape import music_like, runs_of

LOOP_S, RATE, RATE_HZ = 96.0, 4, 8_000
BLACK_S, SILENT_S = (20.0, 26.0), (50.0, 56.0)
BEFORE_WRAP_S = 600.0
# How far the stream may be ahead of what was decoded, and how often the transport is looked at.
AHEAD_S, TICK_S = 3.0, 0.5


class FastClock:
    """Stands for `time` in the channel: what it tells is how far the stream has come."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        """Returns the stream's instant."""
        return self.now_s

    def time(self) -> float:
        """Returns the same as seconds since 1970."""
        return 1.7e9 + self.now_s

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


def loop_of(path: Path) -> bytes:
    """Writes one loop: moving video and music, with a black and a silence."""
    scene = Scene(5, 128, 72, Look(pan_px_per_s=(24.0, 0.0), object_px_per_s=30.0))
    sound = music_like(5, LOOP_S, RATE_HZ)
    sound[int(SILENT_S[0] * RATE_HZ) : int(SILENT_S[1] * RATE_HZ)] = 0
    video = VideoEncoding(
        width=128, height=72, rate=Fraction(RATE), gop_frames=RATE, b_frames=0, crf=24.0
    )
    audio = AudioEncoding(rate_hz=RATE_HZ, bit_rate=24_000)
    runs = runs_of(sound, RATE_HZ // RATE)
    with Writer(path, video=video, audio=audio, container_format="mpegts") as writer:
        for number in range(round(LOOP_S * RATE)):
            codes = scene.frame(number / RATE, noise_key=number)
            if BLACK_S[0] <= number / RATE < BLACK_S[1]:
                codes = [np.full_like(codes[0], 16), *(np.full_like(c, 128) for c in codes[1:])]
            writer.write_frame(frame_of(codes, number))
            writer.write_samples(next(runs))
    return path.read_bytes()


def resident_mb() -> float:
    """Returns the memory of this process."""
    text = Path("/proc/self/smaps_rollup").read_text()
    return next(int(x.split()[1]) for x in text.splitlines() if x.startswith("Pss:")) / 1000


def main() -> None:
    """Runs it and writes what was seen, hour by hour."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--hours", type=float, default=27.2)
    parser.add_argument("--detectors", nargs="*", default=[], help="default: all measured ones")
    a = parser.parse_args()
    clock = FastClock()
    fast: Any = clock
    defectscope.monitor.channel.time = fast
    defectscope.monitor.inlet.time = fast
    events: Counter[str] = Counter()
    others: list[Any] = []

    def told(event: dict[str, Any]) -> None:
        data = event["data"]
        events[f"{data['defect']} {data['state']}"] += 1
        if data["defect"] not in ("black_frames", "audio_dropout") and len(others) < 100:
            others.append([round(clock.now_s - 1000.0, 1), data["defect"], data["state"]])

    # What is no fault of the day's: a small picture's music, and the loop's seam, where the sound
    # is one run short.
    apart = ("loudness", "spatial_image", "stream_integrity")
    config = ChannelConfig(
        "day",
        "udp://127.0.0.1:0",
        detectors=tuple(a.detectors),
        pace=Pace(step_s=5.0),
        patience=dict.fromkeys(apart, Patience(enter_s=3600.0)),
        idle_s=60.0,
    )
    with tempfile.TemporaryDirectory() as folder:
        data = loop_of(Path(folder) / "loop.ts")
    stream = Stream(data, LOOP_S, WRAP_TICKS - round(BEFORE_WRAP_S * CLOCK_HZ))
    channel = Channel(config, told)
    # A clock that is as fast as the machine has no time to spare: nothing is left out for it.
    channel._ladder.update = lambda *_: 0
    channel.start()
    seconds, hours = a.hours * 3600, []
    began_s, tick_s, hour = time.process_time(), 0.0, 0
    for due_s, datagram, _ in stream.datagrams():
        if due_s >= seconds:
            break
        clock.now_s = 1000.0 + due_s
        while channel._inlet.waiting_s(clock.now_s) > AHEAD_S:
            time.sleep(0.001)
        channel._received(datagram, clock.now_s)
        if due_s >= tick_s:
            tick_s = due_s + TICK_S
            channel.tick(clock.now_s)
        if due_s >= 3600 * hour:
            gc.collect()
            state = channel.state()
            hours.append(
                {
                    "hour": hour,
                    "pss_mb": round(resident_mb(), 1),
                    "programme_s": state["programme_s"],
                    "due_s": round(due_s, 2),
                    "level": state["level"],
                    "reopened": state["reopened"],
                    "failures": state["failures"],
                    "missing_packets": state["missing_packets"],
                    "cpu_s": round(time.process_time() - began_s, 1),
                    "events": dict(events),
                }
            )
            result = {"hours": hours, "others": others, "loops": due_s / LOOP_S}
            a.out.write_text(json.dumps(result, indent=1))
            print(json.dumps(hours[-1]), flush=True)
            hour += 1
    time.sleep(2.0)
    channel.close()
    result = {
        "seconds": seconds,
        "loops": seconds / LOOP_S,
        "wraps": [BEFORE_WRAP_S, BEFORE_WRAP_S + WRAP_TICKS / CLOCK_HZ],
        "events": dict(events),
        "others": others,
        "hours": hours,
        "programme_s": channel.state()["programme_s"],
    }
    a.out.write_text(json.dumps(result, indent=1))
    print(json.dumps({k: v for k, v in result.items() if k != "hours"}, indent=1))


if __name__ == "__main__":
    main()
