"""Every caption fault found by name and place; sound captions silent; bad files bounded."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from defectscope.detectors import load
from defectscope.detectors.caption_quality.speech import shown
from defectscope.detectors.caption_quality.timing import timing_breaks
from defectscope.detectors.caption_quality.track import cue_table, tracks_from
from defectscope.engine.contracts import Chunk
from defectscope.findings import DetectorResult, Interval
from defectscope.media.cues import Captions, Cue
from defectscope.media.sidecar import read_captions
from defectscope.media.stream import AudioInfo, StreamInfo
from defectscope.simulate.registry import simulator
from defectscope.simulate.synthetic.soundscape import room_tone, runs_of, speech_like

RATE_HZ = 16000
DURATION_S = 60.0
STREAM = StreamInfo(
    "film.mp4",
    "mp4",
    DURATION_S,
    None,
    AudioInfo(RATE_HZ, ("FC",), "mono", "aac"),
    has_captions=True,
)


@cache
def programme(seed: int) -> tuple[NDArray[np.float32], Captions]:
    """Sentences of unequal length with pauses between, each captioned while it is spoken."""
    rng = np.random.default_rng(seed)
    sound = room_tone(seed, DURATION_S, RATE_HZ, channels=1)
    voice = speech_like(seed, DURATION_S, RATE_HZ)
    cues: list[Cue] = []
    at = 0.8
    while at < DURATION_S - 4:
        length_s = float(rng.uniform(1.6, 3.6))
        first, last = round(at * RATE_HZ), round((at + length_s) * RATE_HZ)
        sound[first:last] += voice[first:last]
        text = "so it goes on " * 4
        cues.append(Cue(at, at + length_s + 0.2, (text[: int(length_s * 11)].strip(),)))
        at += length_s + float(rng.uniform(0.7, 2.4))
    return sound, Captions("webvtt", tuple(cues))


def severity_rule(captions: Captions, sound: NDArray[np.float32] | None = None) -> DetectorResult:
    stream = STREAM if sound is not None else replace(STREAM, audio=None)
    detector = load("caption_quality")
    analysis = detector.open(stream)
    analysis.push(Chunk(captions=captions))
    if sound is not None:
        analysis.push(Chunk(audio=tuple(runs_of(sound, 7001))))
    return detector.decide(analysis.close(), stream)


def impaired(name: str, seed: int, span: Interval, **settings: Any) -> tuple[Captions, list[Any]]:
    made: Any = simulator(name)
    plan = made.plan(STREAM, span, seed=seed, overrides=settings)
    truth: list[Any] = []
    return read_captions(io.BytesIO(made.apply(programme(seed)[1], plan, truth))), truth


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_well_made_captions_pass(seed: int) -> None:
    sound, captions = programme(seed)
    result = severity_rule(captions, sound)
    assert (result.verdict, result.findings) == ("pass", ())


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("caption_overlap", {"overlap_ms": 450}),
        ("caption_speed", {"characters_per_s": 30}),
        ("caption_length", {"characters": 62}),
        ("caption_gap", {"kind": "gap", "length_ms": 25}),
        ("caption_gap", {"kind": "duration", "length_ms": 300}),
    ],
)
def test_rules_name_the_cue(name: str, settings: Any) -> None:
    captions, truth = impaired(name, 1, Interval(10.0, 45.0), **settings)
    found = [f for f in severity_rule(captions).findings if f.defect == name]
    assert truth
    for entry in truth:
        best = max((f.interval.iou(entry.interval) for f in found), default=0.0)
        assert best > 0.5
    assert len(found) == len(truth)


@pytest.mark.parametrize("kind", ["arrow", "time", "reversed", "encoding", "comma"])
def test_broken_formats_are_found_with_their_lines(kind: str) -> None:
    captions, truth = impaired("caption_format", 2, Interval(10.0, 45.0), kind=kind)
    found = [f for f in severity_rule(captions).findings if f.defect == "caption_format"]
    assert len(found) == len(truth)
    assert all(f.evidence["source_line"] > 0 for f in found)


@pytest.mark.parametrize("offset_ms", [1200, -1500])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_constant_delay_is_measured(seed: int, offset_ms: int) -> None:
    span = Interval(0.0, 60.0)
    captions, _ = impaired("caption_drift", seed, span, offset_ms=offset_ms, drift_ms_per_min=0.0)
    (finding,) = [
        f for f in severity_rule(captions, programme(seed)[0]).findings if "drift" in f.defect
    ]
    assert finding.evidence["offset_ms"] == pytest.approx(offset_ms, abs=120)
    assert finding.severity == "major"


def test_a_growing_delay_is_measured_per_minute() -> None:
    # Eight minutes of speech that comes and goes; captions that run 0.5 % too slowly.
    rng = np.random.default_rng(4)
    starts = np.cumsum(rng.uniform(3.0, 6.0, 100))
    ends = starts + rng.uniform(1.2, 2.6, 100)
    blocks = int(ends[-1] * 10) + 10
    level = np.where(shown(starts, ends, blocks) > 0, -30.0, -70.0)
    cues = tuple(
        Cue(a * 1.005, b * 1.005, ("x",), k)
        for k, (a, b) in enumerate(zip(starts, ends, strict=True))
    )
    track = tracks_from(cue_table(cues)[0])[0]
    detector: Any = load("caption_quality")
    tuned = detector.tuned.thresholds
    (found,) = timing_breaks(track, level, level - 8, tuned, 8.0)
    assert found.defect == "caption_drift"
    assert found.evidence["drift_ms_per_min"] == pytest.approx(300, abs=40)


@pytest.mark.parametrize("speed", [24 / 25, 25 / 24])
@pytest.mark.parametrize("by_s", [0.0, 1.0])
def test_captions_for_another_speed_are_one_finding(speed: float, by_s: float) -> None:
    rng = np.random.default_rng(4)
    level = rng.normal(-60, 1, 3000)
    starts_s = np.cumsum(rng.uniform(2.5, 6.5, 60))
    ends_s = starts_s + rng.uniform(1.5, 2.3, 60)
    for start_s, end_s in zip(starts_s, ends_s, strict=True):
        level[round(start_s * 10) : round(end_s * 10)] += 40
    cues = tuple(
        Cue(start_s * speed + by_s, end_s * speed + by_s, ("words",))
        for start_s, end_s in zip(starts_s.tolist(), ends_s.tolist(), strict=True)
    )
    track = tracks_from(cue_table(cues)[0])[0]
    detector: Any = load("caption_quality")
    (found,) = timing_breaks(track, level, level - 8, detector.tuned.thresholds, 8.0)
    assert found.defect == "caption_drift"
    assert (found.start_s, found.end_s) == pytest.approx(
        (cues[0].start_s, cues[-1].end_s), abs=0.01
    )
    # NTSC's thousandth cannot be told in five minutes.
    assert found.evidence["drift_ms_per_min"] == pytest.approx(60_000 * (speed - 1), abs=70)


def test_music_in_the_pauses_is_no_speech_without_captions() -> None:
    rng = np.random.default_rng(6)
    # Music that is as loud as soft speech more than half of the time.
    level = -39 + 5 * np.sin(np.arange(3000) / 4) + rng.normal(0, 0.5, 3000)
    starts_s = np.cumsum(rng.uniform(4.2, 5.0, 50)) - 3.5
    ends_s = starts_s + rng.uniform(1.5, 2.3, 50)
    for start_s, end_s in zip(starts_s, ends_s, strict=True):
        level[round(start_s * 10) : round(end_s * 10)] = rng.normal(-30, 2)
    cues = [
        Cue(start_s, end_s, ("words",))
        for start_s, end_s in zip(starts_s.tolist(), ends_s.tolist(), strict=True)
    ]
    track = tracks_from(cue_table(cues)[0])[0]
    detector: Any = load("caption_quality")
    level = level[: round(10 * float(ends_s[-1]))]
    assert not list(timing_breaks(track, level, level - 8, detector.tuned.thresholds, 8.0))


def test_speech_without_captions_is_found() -> None:
    sound, captions = programme(3)
    gone = captions.cues[6:9]
    left = Captions("webvtt", tuple(c for c in captions.cues if c not in gone))
    found = [f for f in severity_rule(left, sound).findings if f.defect == "caption_missing"]
    assert found
    assert min(f.start_s for f in found) == pytest.approx(gone[0].start_s, abs=0.5)
    lost = Interval(gone[0].start_s, gone[-1].end_s)
    assert all(f.interval.intersection_s(lost) > 0.9 * f.interval.duration_s for f in found)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_captions_missing_in_a_row_are_one_finding(seed: int) -> None:
    sound, captions = programme(seed)
    gone = captions.cues[4:9]
    left = Captions("webvtt", (*captions.cues[:4], *captions.cues[9:]))
    found = [f for f in severity_rule(left, sound).findings if f.defect == "caption_missing"]
    (block,) = found
    assert block.interval.iou(Interval(gone[0].start_s, gone[-1].end_s)) > 0.8


def test_a_speaker_who_pauses_between_sentences_is_missed_as_one_block() -> None:
    rng = np.random.default_rng(4)
    level = np.full(3000, -66.0)
    ripple = np.zeros(3000)
    cues: list[Cue] = []
    begin = 10
    while begin < 2900:
        length = int(rng.integers(8, 16))
        # One block in four is a pause between words; the room is as soft as its softest part.
        said = begin + np.flatnonzero(rng.random(length) < 0.75)
        level[said], ripple[said] = -28.0, 12.0
        cues.append(Cue(begin / 10, (begin + length) / 10, ("words",)))
        begin += length + int(rng.integers(17, 23))
    kept = [cue for cue in cues if not 100 <= cue.start_s < 200]
    gone = [cue for cue in cues if 100 <= cue.start_s < 200]
    track = tracks_from(cue_table(kept)[0])[0]
    detector: Any = load("caption_quality")
    (found,) = timing_breaks(track, level, level - ripple, detector.tuned.thresholds, 8.0)
    assert found.defect == "caption_missing"
    lost = Interval(gone[0].start_s, gone[-1].end_s)
    assert Interval(found.start_s, found.end_s).iou(lost) > 0.9


@pytest.mark.parametrize("left_out", [2, 3, 4])
def test_captions_missing_from_a_short_programme_are_no_drift(left_out: int) -> None:
    sound = np.zeros((24 * RATE_HZ, 1), np.float32)
    cues: list[Cue] = []
    for index in range(7):
        start_s = 0.5 + 3.0 * index
        phrase = speech_like(7 + index, 2.2, RATE_HZ)
        sound[round(start_s * RATE_HZ) :][: len(phrase)] += phrase
        cues.append(Cue(start_s, start_s + 2.2, ("a phrase that is spoken",)))
    left = Captions("srt", (*cues[:2], *cues[2 + left_out :]))
    (found,) = severity_rule(left, sound).findings
    assert found.defect == "caption_missing"
    assert found.start_s == pytest.approx(6.5, abs=0.3)
    assert found.end_s == pytest.approx(6.5 + 3.0 * left_out - 0.8, abs=0.3)
    assert found.severity == ("major" if left_out < 4 else "critical")


def test_times_that_make_no_sense_are_findings() -> None:
    cues = (
        Cue(-1.0, 1.0, ("early",), 1),
        Cue(9.0, 10.0, ("later",), 3),
        Cue(4.0, 5.0, ("sooner",), 5),
        Cue(20.0, 20.0, ("never",), 7),
    )
    found = severity_rule(Captions("srt", cues)).findings
    problems = {f.evidence["source_line"]: f.evidence["problem"] for f in found}
    assert set(problems) == {1, 5, 7}
    assert problems[5] == "it stands after a later cue"


def test_a_flood_of_cues_is_bounded() -> None:
    cues = tuple(Cue(k / 2000, k / 2000 + 0.3, ("x",), k + 1) for k in range(50_000))
    detector = load("caption_quality")
    analysis = detector.open(STREAM)
    analysis.push(Chunk(captions=Captions("srt", cues)))
    measured = analysis.close()
    assert len(measured.tables["cues"]) == 600
    findings = detector.decide(measured, STREAM).findings
    assert len(findings) < 1500
    assert any("more cues" in str(f.evidence.get("problem")) for f in findings)


def moved(captions: Captions, by_s: float) -> Captions:
    cues = (replace(c, start_s=c.start_s + by_s, end_s=c.end_s + by_s) for c in captions.cues)
    return replace(captions, cues=tuple(cues))


@pytest.mark.parametrize(("by_s", "hours"), [(3600.0, 1), (36000.0, 10), (-3600.0, -1)])
def test_captions_that_are_never_on_screen(by_s: float, hours: int) -> None:
    sound, captions = programme(1)
    found = [
        f for f in severity_rule(moved(captions, by_s), sound).findings if "missing" in f.defect
    ]
    assert [(f.start_s, f.end_s, f.severity) for f in found] == [(0.0, DURATION_S, "critical")]
    assert found[0].evidence["offset_s"] == hours * 3600
    assert found[0].confidence == 1.0


def test_captions_after_the_end_are_one_finding() -> None:
    late = tuple(Cue(k, k + 2.0, ("after the end",), 900 + k) for k in (70, 80, 90))
    captions = Captions("srt", programme(1)[1].cues + late)
    (found,) = [f for f in severity_rule(captions).findings if "problem" in f.evidence]
    assert (found.defect, found.evidence["cues"]) == ("caption_format", 3)


@pytest.mark.parametrize("text", [(), ("",), (" ", "\u200b")])
def test_cues_without_text_are_one_finding_a_run(text: tuple[str, ...]) -> None:
    cues = [
        replace(cue, lines=text) if k in (3, 4, 7) else cue
        for k, cue in enumerate(programme(1)[1].cues)
    ]
    found = severity_rule(Captions("srt", tuple(cues))).findings
    assert [f.evidence["cues"] for f in found] == [2, 1]
    assert {f.evidence["problem"] for f in found} == {"it has no text"}


def test_cues_in_different_places_do_not_cover_each_other() -> None:
    lines = ("first line", "second line")
    both = [
        replace(cue, place=place, lines=lines, end_s=cue.start_s + 2.0)
        for cue in programme(1)[1].cues
        for place in ("top", "bottom")
    ]
    assert severity_rule(Captions("ttml", tuple(both))).findings == ()
    same = tuple(replace(cue, place="top") for cue in both)
    assert {f.defect for f in severity_rule(Captions("ttml", same)).findings} == {"caption_overlap"}


def test_marks_and_invisible_characters_take_no_room() -> None:
    line = "e\u0301" * 40 + "\u200b" * 30
    captions = Captions("srt", (Cue(1.0, 4.0, (line,), 2),))
    assert severity_rule(captions).findings == ()


def test_every_track_is_analyzed_and_named() -> None:
    captions = programme(1)[1]
    detector = load("caption_quality")
    analysis = detector.open(STREAM)
    quick = tuple(replace(c, end_s=c.start_s + 0.2, track=4) for c in captions.cues[:3])
    images = (
        Cue(1.0, 60.0, (), image=True, track=5, until_next=True),
        Cue(3.0, 3.0, (), track=5, clears=True),
        Cue(5.0, 60.0, (), image=True, track=5, until_next=True),
    )
    analysis.push(Chunk(captions=captions))
    analysis.push(Chunk(cues=quick + images))
    found = detector.decide(analysis.close(), STREAM).findings
    assert [f.evidence["track"] for f in found] == ["stream 3"] * 3 + ["stream 4"]
    assert found[-1].evidence["duration_s"] == 55.0


def test_no_captions_are_not_applicable_and_a_track_that_shows_none_is_not_analyzed() -> None:
    detector = load("caption_quality")
    bare = replace(STREAM, has_captions=False)
    assert detector.decide(detector.open(bare).close(), bare).verdict == "not_applicable"
    shown = detector.decide(detector.open(STREAM).close(), STREAM)
    assert (shown.verdict, shown.reason) == ("not_judged", "no caption in what was looked at")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.vtt", "WEBVTT\n"),
        ("a.vtt", "WEBVTT\n\nNOTE nobody speaks\n\nSTYLE\n::cue { color: lime }\n"),
        ("a.ttml", '<tt xmlns="http://www.w3.org/ns/ttml"><body><div/></body></tt>'),
    ],
)
def test_a_file_without_a_caption_is_a_finding(name: str, text: str) -> None:
    file = io.BytesIO(text.encode())
    file.name = name
    (found,) = severity_rule(read_captions(file)).findings
    assert (found.defect, found.severity) == ("caption_missing", "critical")
    assert (found.start_s, found.end_s) == (0.0, DURATION_S)
    assert found.evidence["problem"] == "the file holds no caption"
