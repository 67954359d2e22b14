"""The demo: a film made from a seed, sent over UDP on this machine and broken on purpose.

Channel `clean` shows that good pictures are left alone. Channel `broken` goes black, freezes and
falls silent in its programme, and loses packets, its signal and its clock on the way.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Generator
from fractions import Fraction
from pathlib import Path

import numpy as np

from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.frames import Frame, Samples
from defectscope.media.writer import Writer
from defectscope.monitor.receiver import Address, bound
from defectscope.monitor.sender import Fault, Sender, Stream
from defectscope.simulate.synthetic.material import Look, Scene, frame_of
from defectscope.simulate.synthetic.soundscape import music_like

RATE = 25
WIDTH, HEIGHT = 640, 360
SAMPLE_RATE_HZ = 48_000
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
        clean = programme(Path(folder) / "clean.ts", broken=False)
        broken = programme(Path(folder) / "broken.ts", broken=True)
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


def programme(path: Path, *, broken: bool) -> bytes:
    """Writes one loop as a transport stream and returns it.

    Args:
        path: Where to write.
        broken: With black, a freeze and a silence in it.
    """
    video = VideoEncoding(
        width=WIDTH, height=HEIGHT, rate=Fraction(RATE), gop_frames=RATE, b_frames=0, crf=21.0
    )
    audio = AudioEncoding(rate_hz=SAMPLE_RATE_HZ, bit_rate=128_000)
    scene, sound = Scene(21, WIDTH, HEIGHT, _LOOK), music_like(21, LOOP_S, SAMPLE_RATE_HZ)
    if broken:
        first, last = (round(s * SAMPLE_RATE_HZ) for s in SILENCE_S)
        sound[first:last] = 0
    step = SAMPLE_RATE_HZ // RATE
    with Writer(path, video=video, audio=audio, container_format="mpegts") as writer:
        for number in range(round(LOOP_S * RATE)):
            writer.write_frame(_frame(scene, number, broken=broken))
            writer.write_samples(Samples(number * step, sound[number * step :][:step]))
    return path.read_bytes()


def _frame(scene: Scene, number: int, *, broken: bool) -> Frame:
    time_s, shown = number / RATE, number
    if broken and FREEZE_S[0] <= time_s < FREEZE_S[1]:
        shown = round(FREEZE_S[0] * RATE)
    codes = scene.picture(shown / RATE, noise_key=shown)
    if broken and BLACK_S[0] <= time_s < BLACK_S[1]:
        codes = [np.full_like(codes[0], 16), *(np.full_like(plane, 128) for plane in codes[1:])]
    return frame_of(codes, number)


def _ports(count: int) -> list[int]:
    """Finds ports that are free now."""
    held = [bound(Address("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in held]
    for each in held:
        each.close()
    return ports
