"""Tracks of which nothing decodes: broken, without packets, encrypted, of another programme."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from made_media import SEEN, kinds, write

from defectscope.analysis import analyze
from defectscope.errors import UnreadableMediaError
from defectscope.findings import Report
from defectscope.media import open_media
from defectscope.media.transport import TS_PACKET_BYTES

DETECTORS = [*SEEN, "freeze"]
# In the order in which `write` makes them.
VIDEO, SOUND = 0, 1


def verdict_of(report: Report, detector: str) -> tuple[str, str]:
    entry = report.verdicts[detector]
    return str(entry["verdict"]), str(entry.get("reason", ""))


def rewritten(source: Path, target: Path, alter: Callable[[int, bytes], bytes]) -> Path:
    """Copies a file, its packets altered by their track's number; an empty one is left out."""
    with av.open(str(source)) as made, av.open(str(target), "w") as out:
        copies = [out.add_stream_from_template(s) for s in made.streams]
        for packet in made.demux():
            data = alter(packet.stream.index, bytes(packet))
            if packet.dts is None or not data:
                continue
            copy = av.Packet(data)
            copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
            copy.time_base, copy.is_keyframe = packet.time_base, packet.is_keyframe
            copy.stream = copies[packet.stream.index]
            out.mux(copy)
    return target


def scrambled(data: bytes, pid: int, rng: np.random.Generator) -> bytes:
    """Marks the packets of an elementary stream as scrambled, and makes noise of their payload."""
    out = bytearray(data)
    for start in range(0, len(out), TS_PACKET_BYTES):
        if int.from_bytes(out[start + 1 : start + 3], "big") & 0x1FFF == pid:
            out[start + 3] |= 0x80
            out[start + 4 : start + TS_PACKET_BYTES] = rng.bytes(TS_PACKET_BYTES - 4)
    return bytes(out)


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_video_of_which_nothing_decodes_fails_and_its_sound_is_analyzed(
    tmp_path: Path, suffix: str
) -> None:
    whole = tmp_path / f"whole.{suffix}"
    write(whole, sounds=(("mp2", "stereo"),))
    rng = np.random.default_rng(1)

    def noise(track: int, data: bytes) -> bytes:
        # The start code of a transport stream stays, without which no muxer takes a packet.
        return data[:4] + rng.bytes(len(data)) if track == VIDEO else data

    report = analyze(rewritten(whole, tmp_path / f"noise.{suffix}", noise), detectors=DETECTORS)
    (finding,) = [f for f in report.findings if f.evidence.get("kind") == "nothing_decodes"]
    assert (finding.track, finding.severity, report.verdict) == (VIDEO, "critical", "fail")
    assert finding.start_s == 0.0
    assert finding.end_s == pytest.approx(3.0, abs=0.3)
    assert verdict_of(report, "freeze") == ("not_judged", "track 0: no frame of it decodes")
    assert verdict_of(report, "audio_dropout")[0] == "pass"
    assert kinds(analyze(whole, detectors=SEEN)) == []


def test_sound_without_a_packet_fails(tmp_path: Path) -> None:
    write(tmp_path / "whole.ts")
    path = tmp_path / "mute.ts"
    rewritten(tmp_path / "whole.ts", path, lambda track, data: b"" if track == SOUND else data)
    report = analyze(path, detectors=DETECTORS)
    assert [(f.track, f.evidence["kind"]) for f in report.findings] == [(SOUND, "nothing_decodes")]
    assert verdict_of(report, "audio_dropout") == ("not_judged", "track 1: no sample rate")
    assert verdict_of(report, "freeze")[0] == "pass"


def test_a_second_video_without_a_packet_fails_and_the_first_is_analyzed(tmp_path: Path) -> None:
    write(tmp_path / "whole.ts", second_video=True, sounds=())
    path = tmp_path / "one.ts"
    rewritten(tmp_path / "whole.ts", path, lambda track, data: data if track == VIDEO else b"")
    report = analyze(path, detectors=DETECTORS)
    assert [(f.track, f.evidence["kind"]) for f in report.findings] == [(1, "nothing_decodes")]
    assert [track["judged"] for track in report.tracks] == [True, False]
    assert verdict_of(report, "freeze")[0] == "pass"


@pytest.mark.parametrize("hidden", [VIDEO, SOUND])
def test_scrambled_tracks_are_named_and_are_no_defect(tmp_path: Path, hidden: int) -> None:
    write(tmp_path / "clear.ts")
    clear = (tmp_path / "clear.ts").read_bytes()
    with av.open(str(tmp_path / "clear.ts")) as container:
        pid = container.streams[hidden].id
    path = tmp_path / "scrambled.ts"
    path.write_bytes(scrambled(clear, pid, np.random.default_rng(2)))
    report = analyze(path, detectors=DETECTORS)
    assert kinds(report) == []
    assert [t["reason"] for t in report.tracks if not t["judged"]] == ["scrambled"]
    blind, seen = ("freeze", "audio_dropout") if hidden == VIDEO else ("audio_dropout", "freeze")
    assert verdict_of(report, blind) == ("not_judged", f"track {hidden}: scrambled")
    assert verdict_of(report, seen)[0] == "pass"
    assert report.verdict == "not_judged"


def test_one_damaged_header_scrambles_no_track(tmp_path: Path) -> None:
    path = tmp_path / "flipped.ts"
    write(path)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        pid = container.streams[SOUND].id
    pids = [int.from_bytes(data[k + 1 : k + 3], "big") & 0x1FFF for k in range(0, len(data), 188)]
    data[pids.index(pid) * TS_PACKET_BYTES + 3] |= 0x80
    path.write_bytes(data)
    assert [track["judged"] for track in analyze(path, detectors=SEEN).tracks] == [True, True]


def encrypted(source: Path, target: Path, key: int, **options: str) -> Path:
    """Encrypts all tracks; bit-exact, so that a key always makes the same bytes."""
    every = options | {
        "fflags": "bitexact",
        "encryption_scheme": "cenc-aes-ctr",
        "encryption_key": f"{key:032x}",
        "encryption_kid": "ffeeddccbbaa99887766554433221100",
    }
    with av.open(str(source)) as made, av.open(str(target), "w", options=every) as out:
        copies = {s.index: out.add_stream_from_template(s) for s in made.streams}
        for packet in made.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
    return target


def frames_that_decode(path: Path) -> int:
    count = 0
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            with contextlib.suppress(av.error.FFmpegError):
                count += len(packet.decode())
    return count


@pytest.mark.parametrize("movflags", ["use_metadata_tags", "faststart", "frag_keyframe+empty_moov"])
def test_encrypted_media_are_refused_by_name(tmp_path: Path, movflags: str) -> None:
    write(tmp_path / "clear.mp4")
    by_chance = 0
    for key in range(20):
        path = encrypted(tmp_path / "clear.mp4", tmp_path / "hidden.mp4", key, movflags=movflags)
        by_chance += frames_that_decode(path) > 0
        with pytest.raises(UnreadableMediaError, match="track 0: encrypted; track 1: encrypted"):
            open_media(path)
    # Of some, a decoder makes frames: they are no picture.
    assert by_chance > 0
