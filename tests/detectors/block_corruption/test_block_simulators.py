"""Streams that are broken and blocks that are drawn: where, how much, and always the same."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.media.encoding import VideoEncoding
from defectscope.media.frames import Frame
from defectscope.media.opening import open_media
from defectscope.media.transport import write_transport_stream
from defectscope.media.writer import write_clip
from defectscope.simulate.effects.arrays import impair_frames, video_stream
from defectscope.simulate.effects.bitstream_damage import DAMAGES, Harm, break_stream
from defectscope.simulate.effects.damage_mask import CLEAN, DAMAGED, label, reduced
from defectscope.simulate.effects.drawn_blocks import LOOKS, draw_patches, paint
from defectscope.simulate.registry import simulator
from defectscope.simulate.synthetic.material import Footage

SPAN = Interval(0.8, 1.2)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("blocks") / "clean.mp4"
    encoding = VideoEncoding(320, 192, Fraction(25), crf=18.0, gop_frames=25)
    write_clip(path, frames=Footage(seed=4, width=320, height=192, frames=50), video=encoding)
    return path


def lumas(path):
    with open_media(path) as reader:
        return [
            (float(i.pts * reader.info.video.time_base), np.array(i.planes[0].pixels, int))
            for i in reader.read(audio=False)
            if isinstance(i, Frame)
        ]


def worst_block(one, other):
    """The largest mean difference of a block of 16 x 16, in codes."""
    gap = np.abs(one - other)[:192, :320]
    return float(gap.reshape(12, 16, 20, 16).mean(axis=(1, 3)).max())


def break_clip(clip, out, **overrides):
    made = simulator("block_corruption_stream")
    with open_media(clip) as reader:
        plan = made.plan(reader.info, SPAN, seed=5, severity=4, overrides=overrides)
    truth = []
    made.apply(clip, out, plan, truth)
    return truth


@pytest.mark.parametrize("damage", ["byte_noise", "slice_loss", "packet_loss"])
@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_a_broken_stream_is_damaged_where_its_truth_says(clip, tmp_path, damage, codec):
    out = tmp_path / "broken.mp4"
    rate = {"byte_noise": 0.004, "slice_loss": 0.6, "packet_loss": 0.4}[damage]
    (truth,) = break_clip(
        clip, out, damage=damage, codec=codec, rate=rate, gop_frames=15, capture_crf=10
    )
    # Damage begins in the span, at the earliest with frames that refer to the first one hit,
    # and is over at a random access point at the latest.
    assert SPAN.start_s - 0.2 <= truth.start_s < SPAN.end_s
    assert truth.start_s < truth.end_s <= SPAN.end_s + 1.0
    clean, broken = lumas(clip), lumas(out)
    assert len(broken) == len(clean)
    far = [worst_block(a, b) for (_, a), (_, b) in zip(clean, broken, strict=True)]
    inside = [truth.start_s - 1e-6 <= t < truth.end_s - 1e-6 for t, _ in clean]
    assert max(f for f, i in zip(far, inside, strict=True) if i) > 25
    # Outside of it a block or two may be off, as long as they are too few to be seen.
    assert np.median([f for f, i in zip(far, inside, strict=True) if not i]) < 15


@pytest.mark.parametrize("damage", ["byte_noise", "packet_loss"])
@pytest.mark.parametrize(
    "codec", ["libx265", "libvpx-vp9", "libsvtav1", "libvpx", "mpeg4", "mpeg1video", "mjpeg"]
)
def test_streams_of_every_codec_break_visibly(clip, tmp_path, codec, damage):
    out = tmp_path / "broken.mp4"
    rate = {"byte_noise": 0.004, "packet_loss": 0.5}[damage]
    (truth,) = break_clip(clip, out, damage=damage, codec=codec, rate=rate, gop_frames=15)
    # AV1 codes its frames in pyramids: one that is hit shows in frames well before it.
    assert SPAN.start_s - 0.7 <= truth.start_s < SPAN.end_s
    assert truth.end_s <= SPAN.end_s + 1.0
    assert len(lumas(out)) == 50


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_same_seed_breaks_the_same_bytes(clip, tmp_path, damage):
    intact = tmp_path / "intact.ts"
    write_transport_stream(clip, intact)
    made = []
    for seed in (1, 1, 2):
        out = tmp_path / "damaged.ts"
        span = Interval(1.5, 3.0)
        break_stream(intact, out, span, Harm(damage, 0.3, 2.0), np.random.default_rng(seed))
        made.append(out.read_bytes())
    assert made[0] == made[1] != intact.read_bytes()
    assert made[1] != made[2]


def test_parameters_that_make_no_sense_are_refused(clip, tmp_path):
    with pytest.raises(InvalidParameterError, match="damage"):
        break_clip(clip, tmp_path / "x.mp4", damage="moths")
    with pytest.raises(InvalidParameterError, match="rate"):
        break_clip(clip, tmp_path / "x.mp4", rate=2)


@pytest.mark.parametrize("look", LOOKS)
def test_drawn_blocks_cover_what_was_asked_for(look):
    rng = np.random.default_rng(1)
    planes = [rng.integers(0, 256, (s, 2 * s), dtype=np.uint8) for s in (256, 128, 128)]
    before = [plane[::-1].copy() for plane in planes]
    patches = draw_patches(np.random.default_rng(2), (256, 512), 16, 0.1, look)
    painted = paint(planes, before, patches, 16)
    changed = (painted[0] != planes[0]).reshape(16, 16, 32, 16).any(axis=(1, 3)).mean()
    assert 0.05 <= changed <= 0.11


@pytest.mark.parametrize("severity", [1, 5])
def test_severity_is_area(severity):
    stream = video_stream(320, 192, 50)
    made = simulator("block_corruption")
    plan = made.plan(stream, SPAN, seed=9, severity=severity, overrides={"look": "uniform"})
    low, high = {1: (0.003, 0.006), 5: (0.3, 0.5)}[severity]
    assert low <= plan.params.area <= high
    frames = list(Footage(seed=4, width=320, height=192, frames=50))
    out, truth = impair_frames(
        made, frames, stream, span=SPAN, seed=9, severity=severity, overrides={"look": "uniform"}
    )
    assert [(t.start_s, t.end_s) for t in truth] == [(0.8, 1.2)]
    assert len(out) == len(frames)


def frame(seed: int):
    rng = np.random.default_rng(seed)
    y = np.kron(rng.integers(16, 236, (8, 16)), np.ones((16, 16))).astype(np.uint8)
    return y, y[::2, ::2].copy(), y[::2, ::2].copy()


def test_the_mask_marks_what_is_out_of_place_and_nothing_else():
    clean = [frame(1), frame(2)]
    kept = [reduced(p) for p in clean]
    assert (label(clean[1], kept, 1) == CLEAN).all()
    damaged = tuple(plane.copy() for plane in clean[1])
    damaged[0][32:48, 64:96] = 255 - damaged[0][32:48, 64:96]
    mask = label(damaged, kept, 1)
    assert (mask[4:6, 8:12] == DAMAGED).mean() > 0.7
    outside = mask.copy()
    outside[4:6, 8:12] = CLEAN
    assert (outside == CLEAN).all()
    # A frame that simply stayed is stillness, not corruption.
    assert not (label(clean[0], kept, 1) == DAMAGED).any()
