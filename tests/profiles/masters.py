"""Masters that keep to each profile, and what is done to one to break a rule of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.loudness import gating
from defectscope.detectors.loudness.meter import Meter
from defectscope.findings import Interval
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.frames import Frame
from defectscope.media.writer import write_clip
from defectscope.simulate.effects.arrays import impair_frames, impair_samples, video_stream
from defectscope.simulate.registry import simulator
from defectscope.simulate.synthetic.material import Footage, frame_of
from defectscope.simulate.synthetic.soundscape import music_like, runs_of

WIDTH_PX, HEIGHT_PX, RATE_HZ = 320, 176, 48_000
LENGTH_S = 7.0
Sound = NDArray[np.float32]


@dataclass
class Master:
    """A master in memory, to be broken and written."""

    rate: Fraction
    frames: list[Frame]
    sound: Sound
    lufs: float
    ticks: Fraction | None = None
    after: Callable[[Path], None] = field(default=lambda _: None)

    def write(self, path: Path) -> Path:
        """Writes it with sound of exactly the samples that it has."""
        video = VideoEncoding(
            WIDTH_PX, HEIGHT_PX, self.rate, crf=16.0, gop_frames=25, b_frames=0,
            time_base=self.ticks,
        )  # fmt: skip
        write_clip(
            path,
            frames=self.frames,
            runs=runs_of(self.sound),
            video=video,
            audio=AudioEncoding(codec="pcm_s16le"),
        )
        self.after(path)
        return path


def integrated_lufs(sound: Sound) -> float:
    meter = Meter(RATE_HZ, ("FL", "FR"))
    meter.push(0, sound)
    return gating.integrated(gating.momentary(np.array([row[1] for row in meter.rows])))


def at_loudness(sound: Sound, lufs: float) -> Sound:
    return (sound * 10 ** ((lufs - integrated_lufs(sound)) / 20)).astype(np.float32)


def conforming(lufs: float, rate: Fraction = Fraction(25)) -> Master:
    """A moving film with music at a loudness, its peaks well below full scale."""
    count = round(LENGTH_S * rate)
    footage = Footage(
        seed=7, width=WIDTH_PX, height=HEIGHT_PX, rate=rate, frames=count, cuts_s=(4.0,)
    )
    sound = at_loudness(music_like(3, LENGTH_S, RATE_HZ), lufs)
    assert np.abs(sound).max() < 0.6
    return Master(rate, list(footage), sound[: round(count / rate * RATE_HZ)], lufs)


def level(by_lu: float) -> Callable[[Master], None]:
    def fault(master: Master) -> None:
        master.sound = at_loudness(master.sound, master.lufs + by_lu)

    return fault


def peak(master: Master) -> None:
    """One pair of samples at full scale, whose peak between them lies over it."""
    master.sound[RATE_HZ * 3 : RATE_HZ * 3 + 2] = 0.99


def frames_by(
    name: str, start_s: float, end_s: float, **overrides: Any
) -> Callable[[Master], None]:
    def fault(master: Master) -> None:
        stream = video_stream(WIDTH_PX, HEIGHT_PX, len(master.frames), master.rate)
        master.frames, _ = impair_frames(
            simulator(name), master.frames, stream, span=Interval(start_s, end_s),
            seed=7, severity=5.0, overrides=overrides,
        )  # fmt: skip

    return fault


def sound_by(name: str, start_s: float, end_s: float, **overrides: Any) -> Callable[[Master], None]:
    def fault(master: Master) -> None:
        damaged, _ = impair_samples(
            simulator(name), master.sound, RATE_HZ, span=Interval(start_s, end_s),
            seed=7, severity=5.0, overrides=overrides,
        )  # fmt: skip
        master.sound = at_loudness(damaged, master.lufs)

    return fault


def solid(first: int, last: int, codes: Sequence[float]) -> Callable[[Master], None]:
    """Frames of one colour."""

    def fault(master: Master) -> None:
        sizes = ((HEIGHT_PX, WIDTH_PX), *((HEIGHT_PX // 2, WIDTH_PX // 2),) * 2)
        for k in range(first, last):
            planes = [np.full(size, code) for size, code in zip(sizes, codes, strict=True)]
            master.frames[k] = frame_of(planes, k)

    return fault


def planes_of(frame: Frame) -> list[NDArray[np.float32]]:
    return [np.array(p.pixels, np.float32) for p in frame.planes]


def changed(by: Callable[[list[NDArray[np.float32]]], None]) -> Callable[[Master], None]:
    """Every frame, its planes changed in place."""

    def fault(master: Master) -> None:
        for k, frame in enumerate(master.frames):
            planes = planes_of(frame)
            by(planes)
            master.frames[k] = frame_of(planes, k)

    return fault


def one_bar(planes: list[NDArray[np.float32]]) -> None:
    """A bar above the frame and none below."""
    planes[0][:24], planes[1][:12], planes[2][:12] = 16.0, 128.0, 128.0


def too_bright(planes: list[NDArray[np.float32]]) -> None:
    """A twentieth of the frame over code 246."""
    planes[0][: HEIGHT_PX // 20 + 4] = 252.0


def telecine(master: Master) -> None:
    """Film at 24 frames shown at 30 by 3:2 pulldown: fields of AA AB BC CC DD."""
    film = list(Footage(seed=9, width=WIDTH_PX, height=HEIGHT_PX, rate=Fraction(24), frames=168))
    out: list[Frame] = []
    for first in range(0, len(film), 4):
        four = [planes_of(frame) for frame in film[first : first + 4]]
        for top, bottom in ((0, 0), (0, 1), (1, 2), (2, 2), (3, 3)):
            woven = [plane.copy() for plane in four[top]]
            for plane, other in zip(woven, four[bottom], strict=True):
                plane[1::2] = other[1::2]
            out.append(frame_of(woven, len(out)))
    master.rate, master.frames = Fraction(30), out


def variable_rate(master: Master) -> None:
    """Every third frame stays twice as long as its neighbours."""
    master.ticks = Fraction(1, 1000)
    at_ms, frames = 0, []
    for k, frame in enumerate(master.frames):
        if at_ms / 1000 >= LENGTH_S:
            break
        frames.append(frame_of(planes_of(frame), at_ms))
        at_ms += 80 if k % 3 == 2 else 33
    master.frames = frames


def short_sound(master: Master) -> None:
    master.sound = master.sound[: -RATE_HZ // 2]


def damaged(path: Path) -> None:
    """Bytes in the middle of the frame's data overwritten, as a bad disk leaves them."""
    raw = bytearray(path.read_bytes())
    begin = raw.index(b"mdat") + 4
    rng = np.random.default_rng(5)
    length = len(raw) - begin
    for place in rng.integers(begin + length // 3, begin + length // 2, 400):
        raw[int(place)] ^= 0xFF
    path.write_bytes(bytes(raw))


def bad_disk(master: Master) -> None:
    master.after = damaged


@dataclass(frozen=True)
class Fault:
    """What is done, and which rule it breaks."""

    make: Callable[[Master], None]
    rule: str
    code: str = ""
    also: frozenset[str] = frozenset()


LOUD: Mapping[str, Fault] = {
    "too_loud": Fault(level(+4.0), "loudness", "0010B"),
    "too_quiet": Fault(level(-4.0), "loudness", "0010B"),
    "peak": Fault(peak, "true-peak"),
}
BLACK = (16.0, 128.0, 128.0)
FAULTS: Mapping[str, tuple[float, Mapping[str, Fault]]] = {
    "ebu-r128": (-23.0, LOUD),
    "atsc-a85": (
        -24.0,
        {name: Fault(f.make, f.rule) for name, f in LOUD.items()},
    ),
    "prime-video": (
        -23.0,
        {
            "bars": Fault(frames_by("test_pattern", 2.0, 4.0, kind="smpte_bars"), "bars"),
            "slate": Fault(frames_by("test_pattern", 2.0, 4.0, kind="slate"), "slate"),
            "black": Fault(solid(60, 125, BLACK), "black"),
            "one_bar": Fault(changed(one_bar), "letterbox"),
            "telecine": Fault(telecine, "telecine"),
            "variable_rate": Fault(variable_rate, "constant-rate"),
            "short_sound": Fault(short_sound, "equal-lengths"),
        },
    ),
    "dpp": (
        -23.0,
        {
            **LOUD,
            "flashes": Fault(
                frames_by("flicker", 2.0, 5.0, kind="general_flash", hz=6.0, depth=1.0, area=0.6),
                "pse-luminance",
            ),
            "red_flashes": Fault(
                frames_by("flicker", 2.0, 5.0, kind="red_flash", hz=6.0, depth=1.0, area=0.6),
                "pse-red",
                also=frozenset({"pse-luminance", "levels"}),
            ),
            "levels": Fault(changed(too_bright), "levels", "0051B"),
            "blue": Fault(solid(60, 70, (41.0, 240.0, 110.0)), "constant-colour", "0016B"),
            "black": Fault(solid(60, 70, BLACK), "black", "0016B"),
            "distortion": Fault(
                sound_by("audio_distortion", 1.0, 6.5, family="hard_clip", sdr_db=2.0),
                "distortion",
                "0231B",
            ),
        },
    ),
    "netflix-branded": (
        -24.0,
        {
            "too_loud": Fault(level(+6.0), "loudness", "020"),
            "peak": Fault(peak, "true-peak", "022", also=frozenset({"tick"})),
            "black": Fault(solid(60, 125, BLACK), "black"),
            "frozen": Fault(frames_by("freeze", 2.0, 4.0), "frozen"),
            "telecine": Fault(telecine, "pulldown"),
            "bad_disk": Fault(bad_disk, "decode-errors", also=frozenset({"tick", "hiss", "hum",
                "distortion", "drop-out", "frozen", "true-peak", "loudness", "mono", "phase"})),
            "drop_out": Fault(sound_by("audio_dropout", 3.0, 3.3), "drop-out", "016"),
            "phase": Fault(sound_by("phase_inversion", 1.0, 6.5), "phase", "015"),
            "hum": Fault(sound_by("audio_hum", 1.0, 6.5, level_db=6.0), "hum", "006"),
        },
    ),
}  # fmt: skip
