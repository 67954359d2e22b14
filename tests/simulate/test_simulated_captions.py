"""Caption simulators: what they write is read again by the project's own reader."""

from __future__ import annotations

import itertools
import re

import pytest

from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.media.cues import Captions, Cue
from defectscope.media.sidecar import read_captions
from defectscope.media.stream import StreamInfo
from defectscope.simulate.effects.caption_text import SUFFIXES, caption_bytes
from defectscope.simulate.registry import simulator

CUES = tuple(
    Cue(i * 3.0, i * 3.0 + 2.5, ("We sail at first light,", "said the old captain."))
    for i in range(20)
)
STREAM = StreamInfo("film.vtt", "captions", 60.0, None, None, has_captions=True)
SPAN = Interval(14.9, 44.9)


def impair(name, tmp_path, style="webvtt", **settings):
    made = simulator(name)
    plan = made.plan(STREAM, SPAN, seed=5, overrides=settings)
    truth: list = []
    data = made.apply(Captions(style, CUES), plan, truth)
    path = tmp_path / f"impaired{SUFFIXES[style]}"
    path.write_bytes(data)
    return path, truth


@pytest.mark.parametrize("style", ["webvtt", "srt", "ttml"])
def test_written_captions_read_back(style, tmp_path):
    path = tmp_path / f"plain{SUFFIXES[style]}"
    path.write_bytes(caption_bytes(CUES, style))
    read = read_captions(path)
    assert [(c.start_s, c.end_s, c.lines) for c in read.cues] == [
        (c.start_s, c.end_s, c.lines) for c in CUES
    ]


def test_other_formats_are_refused():
    with pytest.raises(InvalidParameterError, match="not 'stl'"):
        caption_bytes(CUES, "stl")


def test_missing_cues_are_gone_and_the_others_stay(tmp_path):
    path, [entry] = impair("caption_missing", tmp_path, share=0.5)
    left = read_captions(path).cues
    gone = [c for c in CUES if c.start_s not in {x.start_s for x in left}]
    assert len(gone) == entry.parameters["cues"] == 5
    assert entry.start_s == gone[0].start_s
    assert entry.end_s == gone[-1].end_s
    assert all(b.start_s - a.start_s == 3.0 for a, b in itertools.pairwise(gone))


def test_drift_is_offset_and_slope(tmp_path):
    path, [entry] = impair("caption_drift", tmp_path, offset_ms=400, drift_ms_per_min=600)
    read = read_captions(path).cues
    moved = {i: r.start_s - c.start_s for i, (r, c) in enumerate(zip(read, CUES, strict=True))}
    assert moved[2] == 0
    assert moved[18] == 0
    for i in range(5, 15):
        expected = 0.4 + 0.6 * (CUES[i].start_s - SPAN.start_s) / 60
        assert moved[i] == pytest.approx(expected, abs=0.001)
    assert entry.start_s == pytest.approx(CUES[5].start_s + 0.4, abs=0.01)


def test_overlaps_share_their_time(tmp_path):
    path, truth = impair("caption_overlap", tmp_path, overlap_ms=700, share=0.4)
    read = read_captions(path).cues
    shared = [(b.start_s, a.end_s) for a, b in itertools.pairwise(read) if a.end_s > b.start_s]
    assert [(t.start_s, pytest.approx(t.end_s, abs=0.001)) for t in truth] == shared
    assert all(end - start == pytest.approx(0.7, abs=0.001) for start, end in shared)


def test_fast_cues_have_their_speed(tmp_path):
    path, truth = impair("caption_speed", tmp_path, characters_per_s=40, share=0.4)
    hit = {round(t.start_s, 3) for t in truth}
    for cue in read_captions(path).cues:
        speed = sum(map(len, cue.lines)) / (cue.end_s - cue.start_s)
        assert (speed == pytest.approx(40, rel=0.01)) == (cue.start_s in hit)


def test_long_lines_are_long(tmp_path):
    path, truth = impair("caption_length", tmp_path, characters=70, share=0.3)
    longest = {c.start_s: max(map(len, c.lines)) for c in read_captions(path).cues}
    hit = {t.start_s for t in truth}
    assert hit
    assert all((length >= 70) == (start in hit) for start, length in longest.items())


@pytest.mark.parametrize("kind", ["gap", "duration"])
def test_gaps_and_durations_are_short(kind, tmp_path):
    path, truth = impair("caption_gap", tmp_path, kind=kind, length_ms=40, share=0.4)
    read = read_captions(path).cues
    if kind == "gap":
        short = [b.start_s for a, b in itertools.pairwise(read) if b.start_s - a.end_s < 0.05]
    else:
        short = [c.start_s for c in read if c.end_s - c.start_s < 0.05]
    assert short == [t.start_s for t in truth]
    assert short


def sound_cues(data, style):
    """How many cues follow their format to the letter."""
    if style == "ttml":
        found = re.findall(rb'<p begin="([^"]*)" end="([^"]*)">([^\n]*)</p>', data)
        times = rb"\d{2}:[0-5]\d:[0-5]\d\.\d{3}"
    else:
        found = re.findall(rb"^(\S+) --> (\S+)\n((?:[^\n]+\n)+)", data, re.MULTILINE)
        point = rb"\." if style == "webvtt" else rb","
        times = rb"\d{2}:[0-5]\d:[0-5]\d" + point + rb"\d{3}"
    count = 0
    for start, end, text in found:
        timed = re.fullmatch(times, start) and re.fullmatch(times, end) and start < end
        try:
            text.decode("utf-8")
        except UnicodeDecodeError:
            continue
        count += bool(timed)
    return count


@pytest.mark.parametrize("style", ["webvtt", "srt", "ttml"])
@pytest.mark.parametrize("kind", ["arrow", "time", "reversed", "encoding", "number"])
def test_broken_formats_are_broken(kind, style, tmp_path):
    path, truth = impair("caption_format", tmp_path, style, kind=kind, share=0.3)
    data = path.read_bytes()
    assert len(truth) == 3
    assert sound_cues(caption_bytes(CUES, style), style) == 20
    assert sound_cues(data, style) == 17
    assert {t.parameters["cue"] for t in truth} <= set(range(6, 16))


def test_a_span_without_cues_changes_nothing(tmp_path):
    made = simulator("caption_overlap")
    plan = made.plan(STREAM, Interval(58.9, 59.5), seed=1)
    short = CUES[:10]
    truth: list = []
    assert made.apply(Captions("srt", short), plan, truth) == caption_bytes(short, "srt")
    assert truth == []
