"""Detectors with different context, read together: each looks at its own part alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from defectscope import parallel
from defectscope.detectors import load_all
from defectscope.engine import measure
from defectscope.engine.contracts import Chunk, FrameSelection, Needs
from defectscope.engine.spans import Gate, Span
from defectscope.findings import DetectorResult
from defectscope.measurements import Measurements
from defectscope.media import open_media
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.frames import Samples
from defectscope.media.stream import StreamInfo
from defectscope.media.writer import write_clip
from defectscope.simulate.invariants import FLOAT_TOLERANCE, differences
from defectscope.simulate.synthetic.material import frame_of
from defectscope.simulate.synthetic.soundscape import music_like, runs_of

START_S, END_S = 5.0, 7.0
# Frames pushed at a time: what reaches into a span is looked at whole.
CHUNK_FRAMES = 5
REAL = ["blur", "tearing", "freeze", "video_noise", "black_frames", "audio_dropout", "stereo_image"]


@dataclass
class Witness:
    """Notes the instants of all that it is shown."""

    tick_s: float
    frames_s: list[float] = field(default_factory=list[float])
    chosen_s: list[float] = field(default_factory=list[float])
    sound_s: list[float] = field(default_factory=list[float])

    def push(self, chunk: Chunk) -> None:
        if chunk.video is not None:
            self.frames_s += (chunk.video.pts * self.tick_s).tolist()
            self.chosen_s += [frame.pts * self.tick_s for frame in chunk.video.rgb_frames]
        for run in chunk.audio:
            self.sound_s += [run.start / 48000, (run.start + len(run.data)) / 48000]

    def close(self) -> Measurements:
        return Measurements("witness", {})


class Watching:
    """A detector that finds nothing, but tells what it saw."""

    defects: ClassVar[tuple[str, ...]] = ()
    params = None

    def __init__(
        self, name: str, before_s: float, after_s: float, *, with_sound: bool = True
    ) -> None:
        self.name = name
        self.needs = Needs(
            media=frozenset({"video", "audio"} if with_sound else {"video"}),
            features=frozenset({"tile_sad"}),
            frames=FrameSelection(bucket_s=1.0, suspicion="tile_sad", per_bucket=1),
            context_before_s=before_s,
            context_after_s=after_s,
        )
        self.seen: Witness | None = None

    def open(self, stream: StreamInfo) -> Witness:
        assert stream.video is not None
        self.seen = Witness(float(stream.video.time_base))
        return self.seen

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        return DetectorResult("pass")


def test_each_looks_at_its_own_context(impaired_clip: Path) -> None:
    near, far = Watching("near", 0.5, 0.25), Watching("far", 3.0, 2.0)
    detectors: list[Any] = [near, far]
    with open_media(impaired_clip) as reader:
        measure(reader, detectors, start_s=START_S, end_s=END_S, chunk_frames=CHUNK_FRAMES)
    slack_s = CHUNK_FRAMES / 25
    for watching in (near, far):
        seen, needs = watching.seen, watching.needs
        assert seen is not None
        first_s, last_s = START_S - needs.context_before_s, END_S + needs.context_after_s
        for instants in (seen.frames_s, seen.sound_s):
            # What reaches in comes whole, and so does the chunk before it.
            assert first_s - 2 * slack_s <= min(instants) <= first_s + 1e-6
            assert last_s - 0.05 <= max(instants) <= last_s + slack_s
        # No frame is left out or comes twice.
        assert np.diff(seen.frames_s) == pytest.approx(1 / 25, abs=1e-6)
        # The bucket from 7 to 8 s ends after the near one's span.
        assert max(seen.chosen_s) <= last_s + slack_s
        assert {5, 6} <= {int(at_s) for at_s in seen.chosen_s}


@pytest.mark.slow
def test_another_detectors_context_changes_nothing(impaired_clip: Path) -> None:
    for start_s, end_s in ((None, 4.52), (3.04, 8.2), (7.5, None)):
        with open_media(impaired_clip) as reader:
            together = measure(
                reader,
                [*load_all(REAL), *load_all(["av_sync"])],
                start_s=start_s,
                end_s=end_s,
            )
        for name in REAL:
            with open_media(impaired_clip) as reader:
                alone = measure(reader, load_all([name]), start_s=start_s, end_s=end_s)
            # Sound after a seek differs in its last bits by where decoding began.
            tolerance = FLOAT_TOLERANCE if "audio" in name or "stereo" in name else 0.0
            assert differences(together[name], alone[name], tolerance) == []


def test_a_span_takes_what_reaches_into_it() -> None:
    needs = Needs(frozenset({"audio"}), context_before_s=1.0, context_after_s=0.5)
    assert Span.of(needs, None, None, 0.0) == Span(-np.inf, np.inf)
    span = Span.of(needs, 10.0, 20.0, 5.0)
    assert span == Span(4.0, 25.5)


@pytest.mark.parametrize(
    ("workers", "length_s", "segments"),
    [(2, 40.0, 2), (2, 119.0, 2), (2, 180.0, 3), (2, 600.0, 4), (8, 600.0, 10)],
)
def test_short_programmes_have_no_more_segments_than_workers(
    workers: int, length_s: float, segments: int
) -> None:
    assert parallel.segment_count(length_s, workers) == segments


def test_chunks_beside_a_span_are_left_out(impaired_clip: Path) -> None:
    with open_media(impaired_clip) as reader:
        info = replace(reader.info, video=None)
    gate = Gate(Span(4.0, 6.0), info)

    def sound(start_s: float) -> Chunk:
        return Chunk(audio=(Samples(round(start_s * 48000), np.zeros((480, 2), np.float32)),))

    early, latest, inside, late = (sound(at_s) for at_s in (2.0, 3.9, 5.0, 6.01))
    assert gate.admitted(early) == []
    assert gate.admitted(latest) == []
    # The chunk before the first one that reaches in comes with it.
    assert gate.admitted(inside) == [latest, inside]
    assert gate.admitted(late) == []
    # What has no frame and no sound, such as captions, has no place to be left out by.
    nothing = Chunk()
    assert gate.admitted(nothing) == [nothing]


@pytest.mark.parametrize("chunk_frames", [1, 7])
@pytest.mark.parametrize("with_sound", [False, True])
@pytest.mark.parametrize("last", [(300, *range(350, 375)), ()])
def test_the_frame_on_screen_is_seen_however_long_ago_it_came(
    tmp_path: Path, chunk_frames: int, with_sound: bool, last: tuple[int, ...]
) -> None:
    path = tmp_path / "slides.mp4"
    planes = [np.full((96, 160), 80.0), np.full((48, 80), 128.0), np.full((48, 80), 128.0)]
    frames = (frame_of(planes, pts) for pts in (*range(25), 50, *last))
    encoding = VideoEncoding(160, 96, Fraction(25), crf=20.0, b_frames=0)
    runs = runs_of(music_like(1, 15.0, 48000)) if with_sound else ()
    audio = AudioEncoding() if with_sound else None
    write_clip(path, frames=frames, runs=runs, video=encoding, audio=audio)
    near = Watching("near", 0.5, 0.25, with_sound=with_sound)
    far = Watching("far", 5.0, 5.0, with_sound=with_sound)
    detectors: list[Any] = [near, far]
    with open_media(path) as reader:
        measure(reader, detectors, start_s=5.0, end_s=7.0, chunk_frames=chunk_frames)
    assert near.seen is not None
    # The slide of 2 s stays until 12 s, or until the end. Sound may come before its picture.
    assert 2.0 in np.round(near.seen.frames_s, 3)
    assert np.all(np.diff(near.seen.frames_s) > 0)
