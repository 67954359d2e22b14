"""The demo: a film made from a seed, sent over UDP on this machine and broken on purpose.

Channel `clean` shows that good frames are left alone. Channel `broken` goes black, freezes and
falls silent in its programme, and loses packets, its signal and its clock on the way.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Generator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.frames import Samples
from defectscope.media.writer import Writer
from defectscope.monitor.receiver import Address, bound
from defectscope.monitor.sender import Fault, Sender, Stream
from defectscope.simulate.synthetic.material import Look, Scene, frame_of
from defectscope.simulate.synthetic.soundscape import music_like

RATE = 25
WIDTH, HEIGHT = 480, 270
SAMPLE_RATE_HZ = 48_000
_AAC_SAMPLES = 1024
# Whole frames and whole runs of AAC, so that it loops without a seam.
LOOP_S = 90 * 0.32
BLACK_S, FREEZE_S, SILENCE_S = (6.0, 8.0), (13.0, 16.0), (20.0, 23.0)
# A drifting camera and slow things: nothing that any detector would mention.
_LOOK = Look(pan_px_per_s=(30.0, 0.0), object_px_per_s=40.0)
_ROUND_S, _ROUNDS = 120.0, 240


@contextlib.contextmanager
def prepared(say: Callable[[str], None]) -> Generator[Path]:
    """Makes the film, sends it, and gives the channels.toml that watches it."""
    with tempfile.TemporaryDirectory(prefix="defectscope-demo-") as folder:
        ports = _ports(2)
        say("making a film (half a minute) ...")
        clean, broken = programmes(Path(folder))
        config = Path(folder) / "channels.toml"
        config.write_text(
            "".join(
                f'[[channel]]\nname = "{name}"\nurl = "udp://127.0.0.1:{port}"\n\n'
                for name, port in zip(("clean", "broken"), ports, strict=True)
            )
        )
        senders = [
            Sender(Stream(clean, LOOP_S), ("127.0.0.1", ports[0])),
            Sender(Stream(broken, LOOP_S), ("127.0.0.1", ports[1]), faults()),
        ]
        say("black after 6 s, a freeze after 13, silence after 20, and again every 29 s;")
        say("loss after 40 s, no signal after 75, a clock set anew after 100, every two minutes")
        for sender in senders:
            sender.start()
        try:
            yield config
        finally:
            for sender in senders:
                sender.close()


def faults() -> list[Fault]:
    """Returns what is done to the broken channel on its way, for eight hours."""
    found: list[Fault] = []
    for number in range(_ROUNDS):
        at_s = number * _ROUND_S
        found += [
            Fault("loss", at_s + 40.0, 10.0, 0.01),
            Fault("outage", at_s + 75.0, 5.0),
            Fault("clock_step", at_s + 100.0, float("inf"), 20.0),
        ]
    return found


def programmes(folder: Path) -> tuple[bytes, bytes]:
    """Writes one loop, clean and broken, as transport streams and returns both.

    Args:
        folder: Where to write.
    """
    video = VideoEncoding(
        width=WIDTH, height=HEIGHT, rate=Fraction(RATE), gop_frames=RATE, b_frames=0, crf=21.0
    )
    audio = AudioEncoding(rate_hz=SAMPLE_RATE_HZ, bit_rate=128_000)
    scene, sound = Scene(21, WIDTH, HEIGHT, _LOOK), music_like(21, LOOP_S, SAMPLE_RATE_HZ)
    silenced = sound.copy()
    first, last = (round(s * SAMPLE_RATE_HZ) for s in SILENCE_S)
    silenced[first:last] = 0
    step = SAMPLE_RATE_HZ // RATE
    # The encoder gives one run more than it is given: its delay.
    total = round(LOOP_S * SAMPLE_RATE_HZ) - _AAC_SAMPLES
    paths = folder / "clean.ts", folder / "broken.ts"
    with contextlib.ExitStack() as stack:
        clean, broken = (
            stack.enter_context(Writer(p, video=video, audio=audio, container_format="mpegts"))
            for p in paths
        )
        held: list[Any] = []
        for number in range(round(LOOP_S * RATE)):
            codes = scene.frame(number / RATE, noise_key=number)
            held = _broken(codes, held, number / RATE)
            clean.write_frame(frame_of(codes, number))
            broken.write_frame(frame_of(held, number))
            for writer, track in ((clean, sound), (broken, silenced)):
                run = track[number * step : min((number + 1) * step, total)]
                writer.write_samples(Samples(number * step, run))
    return paths[0].read_bytes(), paths[1].read_bytes()


def _broken(codes: list[Any], held: list[Any], time_s: float) -> list[Any]:
    """Returns what is shown instead of a frame: black, or the one before it."""
    if BLACK_S[0] <= time_s < BLACK_S[1]:
        return [np.full_like(codes[0], 16), *(np.full_like(plane, 128) for plane in codes[1:])]
    return held if FREEZE_S[0] <= time_s < FREEZE_S[1] else codes


def _ports(count: int) -> list[int]:
    """Finds ports that are free now."""
    held = [bound(Address("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in held]
    for each in held:
        each.close()
    return ports
