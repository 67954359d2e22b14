"""Reads clips whose offset is known by construction: what reader and detector add of theirs.

    python benchmarks/sync_known.py [--speakers 4] [--out FILE]

A clapper (the frame turns white and the sound begins at one instant, to the sample) shows what
codecs, priming, edit lists and B frames leave of it once it is read. Drawn speakers, whose lips
follow the phones that are heard, show what the whole detector makes of known offsets. Nothing here
was recorded, so nobody has to believe that a recording was in step.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from publishing import publish

from defectscope.detectors import load
from defectscope.detectors.av_sync.analysis import cells_of
from defectscope.detectors.av_sync.decision import decide_sync
from defectscope.detectors.av_sync.windows import Rules
from defectscope.engine import measure
from defectscope.media import open_media
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.frames import Frame, Plane, Samples
from defectscope.media.writer import Writer
from defectscope.simulate.synthetic.drawn_speaker import (
    RATE_FPS,
    SIDE_PX,
    phones_of,
    speech_of,
    talking_frames,
)
from defectscope.simulate.synthetic.mouth_motion import Manner

LENGTH_S = 10
OFFSETS_MS = (-240.0, 0.0, 240.0)
# The drawn lips are ahead of the sound by so much, as people's are: they are late by it at 0.
LIPS_AHEAD_MS = 1000 * Manner().lead_s
# Where the clapper claps: away from the borders of coded frames of sound.
_CLAP_FRAME, _CLAP_FRAMES = 37, 100


@dataclass(frozen=True)
class Way:
    """A container with its codecs."""

    suffix: str
    video: str
    audio: str
    rate_hz: int
    b_frames: int = 0

    @property
    def name(self) -> str:
        """What a table calls it."""
        b_frames = f", {self.b_frames} B frames" if self.b_frames else ""
        return f"{self.suffix[1:]}: {self.video}{b_frames}, {self.audio} {self.rate_hz} Hz"

    def writer(self, path: Path) -> Writer:
        """Opens a file of this kind."""
        video = VideoEncoding(
            SIDE_PX,
            SIDE_PX,
            Fraction(RATE_FPS),
            codec=self.video,
            crf=16.0 if self.video == "libx264" else None,
            bit_rate=None if self.video == "libx264" else 2_000_000,
            b_frames=self.b_frames,
            gop_frames=25,
        )
        audio = AudioEncoding(self.rate_hz, "mono", self.audio)
        return Writer(path, video=video, audio=audio)


WAYS = (
    Way(".mkv", "libx264", "pcm_s16le", 48_000),
    Way(".mp4", "libx264", "aac", 44_100, 3),
    Way(".mp4", "libx264", "aac", 16_000, 2),
    Way(".mp4", "libx264", "libmp3lame", 44_100),
    Way(".mov", "libx264", "pcm_s16le", 48_000, 3),
    Way(".ts", "libx264", "aac", 48_000, 3),
    Way(".ts", "mpeg2video", "mp2", 48_000, 2),
    Way(".mkv", "libx264", "libopus", 48_000, 2),
    Way(".webm", "libvpx", "libvorbis", 44_100),
)


def clapper(way: Way, folder: Path) -> float:
    """Returns by how many milliseconds a clap is read late against its frame."""
    path = folder / f"clap{way.suffix}"
    at = round(_CLAP_FRAME / RATE_FPS * way.rate_hz)
    sound = np.zeros((_CLAP_FRAMES * way.rate_hz // RATE_FPS, 1), np.float32)
    rng = np.random.default_rng(1)
    sound[at:] = 0.3 * rng.standard_normal((len(sound) - at, 1))
    flat = [np.full((SIDE_PX // k, SIDE_PX // k), 128, np.uint8) for k in (1, 2, 2)]
    with way.writer(path) as writer:
        writer.write_samples(Samples(0, sound))
        for index in range(_CLAP_FRAMES):
            luma = np.full_like(flat[0], 200 if index >= _CLAP_FRAME else 40)
            planes = tuple(Plane(p, p.shape[1], p.shape[0]) for p in (luma, *flat[1:]))
            writer.write_frame(Frame(index, 1, planes, 8))
    seen_s = sound_s = None
    with open_media(path) as reader:
        video, audio = reader.info.video, reader.info.audio
        assert video is not None
        assert audio is not None
        for item in reader.read():
            if isinstance(item, Frame) and seen_s is None and item.planes[0].pixels.mean() > 120:
                seen_s = float(item.pts * video.time_base)
            elif isinstance(item, Samples) and sound_s is None:
                # Codecs spread an attack over some milliseconds before it: half the level counts.
                loud = np.flatnonzero(_level(item.data[:, 0], audio.rate_hz) > 0.15)
                if len(loud):
                    sound_s = (item.start + int(loud[0])) / audio.rate_hz
    assert seen_s is not None
    assert sound_s is not None
    return 1000 * (sound_s - seen_s)


def _level(sound: np.ndarray, rate_hz: int) -> np.ndarray:
    length = max(1, rate_hz // 1000)
    mean = np.convolve(sound**2, np.ones(length) / length, "same")
    return np.sqrt(mean)


def speakers(way: Way, folder: Path, seeds: Sequence[int]) -> Iterator[tuple[float, float, str]]:
    """Yields known offset, what the detector reads (NaN where it says nothing), and its verdict."""
    detector = load("av_sync")
    for seed in seeds:
        phones = phones_of(seed, LENGTH_S)
        frames = list(talking_frames(phones, seed, LENGTH_S * RATE_FPS))
        sound = speech_of(phones, seed, LENGTH_S, way.rate_hz)
        for offset_ms in OFFSETS_MS:
            path = folder / f"speaker{way.suffix}"
            with way.writer(path) as writer:
                writer.write_samples(Samples(0, _moved(sound, offset_ms, way.rate_hz)))
                for frame in frames:
                    writer.write_frame(frame)
            with open_media(path) as reader:
                measured = measure(reader, [detector])[detector.name]
                result = detector.decide(measured, reader.info)
            rules = Rules.of(detector.tuned.thresholds)
            windows = decide_sync(cells_of(measured), rules, detector.params.window_s).windows
            readings = [w.peak.ms for w in windows if w.probability >= rules.conclusive]
            read_ms = float(np.median(readings)) if readings else float("nan")
            yield offset_ms + LIPS_AHEAD_MS, read_ms, result.verdict


def _moved(sound: np.ndarray, offset_ms: float, rate_hz: int) -> np.ndarray:
    """Returns sound that comes late by so much, of the same length."""
    count = round(abs(offset_ms) / 1000 * rate_hz)
    still = np.zeros((count, 1), np.float32)
    if offset_ms >= 0:
        return np.concatenate([still, sound])[: len(sound)]
    return np.concatenate([sound[count:], still])


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speakers", type=int, default=4, help="drawn speakers a container")
    parser.add_argument("--out", type=Path, help="write the tables here as well")
    given = parser.parse_args()
    lines = ["| container | clapper, ms | speakers: read less known, ms | verdicts right |"]
    lines += ["|---|---|---|---|"]
    every: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for way in WAYS:
            clap_ms = clapper(way, Path(folder))
            found = list(speakers(way, Path(folder), range(1, given.speakers + 1)))
            errors = [read - known for known, read, _ in found if np.isfinite(read)]
            every += errors
            right = sum(v == ("fail" if abs(known) > 100 else "pass") for known, _, v in found)
            low, middle, high = np.percentile(errors, [0, 50, 100]) if errors else [np.nan] * 3
            lines.append(
                f"| {way.name} | {clap_ms:+.1f} | {middle:+.0f} ({low:+.0f} to {high:+.0f}) "
                f"| {right} of {len(found)} |"
            )
            print(lines[-1], flush=True)
    lines.append(f"| all | | mean {np.mean(every):+.1f} | |")
    publish("\n".join(lines) + "\n", given.out)


if __name__ == "__main__":
    main()
