from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from defectscope.detectors.registry import load_all
from defectscope.media.encoding import VideoEncoding
from defectscope.media.live import LiveOptions, open_live
from defectscope.media.writer import Writer
from defectscope.monitor.session import Decision, Pace, Session
from defectscope.simulate.synthetic.material import frame_of

Streams = Callable[..., bytes]
SECONDS = 9.6
HEALTHY, BROKEN = "black_frames", "freeze"


class Broken:
    """A detector that fails whenever it decides."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def decide(self, *_: Any) -> Any:
        raise ZeroDivisionError("on purpose")


def run(
    data: bytes, detectors: list[Any], skip: str = "NONE", pace: Pace | None = None
) -> tuple[Session, list[Decision]]:
    found: list[Decision] = []

    def decided(decisions: Sequence[Decision]) -> None:
        found.extend(decisions)

    with open_live(cast("Any", io.BytesIO(data)), "test", LiveOptions()) as live:
        live.skip_frames(skip)
        reader = live.next_reader()
        assert reader is not None
        session = Session(reader, detectors, pace or Pace(window_s=5.0))
        session.run(decided)
    return session, found


@pytest.mark.logs_errors
def test_a_detector_that_fails_costs_itself_alone(streams: Streams) -> None:
    data = streams(SECONDS, black=(4.0, 6.0))
    healthy, broken = load_all((HEALTHY, BROKEN))
    session, found = run(data, [healthy, Broken(broken)])
    assert session.failed[BROKEN] > 10
    assert {d.detector for d in found} == {HEALTHY}
    assert any(d.result.findings for d in found)


@pytest.mark.parametrize("skip", ["NONREF", "NONKEY"])
def test_every_measured_detector_decides_over_sparse_frames(streams: Streams, skip: str) -> None:
    from defectscope.monitor.channel_config import ChannelConfig
    from defectscope.monitor.channel_facts import detectors_of

    data = streams(SECONDS, black=(4.0, 6.0))
    session, found = run(data, detectors_of(ChannelConfig("a", "b")), skip)
    assert not session.failed
    assert len({d.detector for d in found}) > 10


def test_what_is_found_in_the_window_is_what_a_file_has(streams: Streams) -> None:
    data = streams(SECONDS, black=(4.0, 6.0))
    session, found = run(data, load_all((HEALTHY,)))
    spans = {
        (f.start_s, f.end_s)
        for d in found
        for f in d.result.findings
        if d.edge_s > 6.5 and d.first_s < 3.5
    }
    assert spans == {(4.0, 6.0)}
    assert session.reached_s == pytest.approx(SECONDS, abs=0.05)


def test_quality_is_decided_less_often_and_found_all_the_same(streams: Streams) -> None:
    data = streams(SECONDS, black=(4.0, 6.0))
    session, found = run(data, load_all((HEALTHY, "banding")))
    counts = {n: sum(d.detector == n for d in found) for n in (HEALTHY, "banding")}
    assert not session.failed
    assert counts[HEALTHY] >= 15
    assert counts["banding"] <= 8
    # What waited was looked at: its rows reach as far as the last turn.
    last = [d for d in found if d.detector == "banding"][-1]
    assert last.edge_s == pytest.approx(SECONDS, abs=0.6)


def test_key_frames_alone_come_at_once_and_all_frames_after_them(tmp_path: Path) -> None:
    path = tmp_path / "ordered.ts"
    video = VideoEncoding(width=160, height=96, rate=Fraction(25), gop_frames=25, b_frames=2)
    with Writer(path, video=video, container_format="mpegts") as writer:
        for number in range(150):
            codes = [np.full(s, 40 + number, np.uint8) for s in ((96, 160), (48, 80), (48, 80))]
            writer.write_frame(frame_of(codes, number))
    keys: list[tuple[int, int]] = []
    after: list[int] = []
    with open_live(cast("Any", io.BytesIO(path.read_bytes())), "test", LiveOptions()) as live:
        live.skip_frames("NONKEY")
        for packet, natives in live.packets():
            if len(keys) < 3:
                keys += [(native.pts, packet.pts) for native in natives]
                if len(keys) == 3:
                    live.skip_frames("NONE")
            else:
                after += [native.pts for native in natives]
    # Each with its own packet: a decoder that puts frames in order keeps two of them back.
    assert [pts for pts, _ in keys] == [of for _, of in keys]
    assert after == sorted(set(after))
    assert after[0] > keys[-1][0]
    assert len(after) >= 50


def test_what_is_older_than_the_window_is_forgotten(streams: Streams) -> None:
    (detector,) = load_all((HEALTHY,))
    _, found = run(streams(SECONDS), [detector], pace=Pace(window_s=2.0))
    for decision in found[:-1]:
        for table in decision.measured.tables.values():
            assert table.seconds(0) >= decision.first_s - 0.01
            assert len(table) <= 2.0 * 25 + 1
    assert found[-2].first_s > SECONDS / 2


def test_all_state_begins_anew_after_a_while(streams: Streams) -> None:
    (detector,) = load_all((HEALTHY,))
    session, _ = run(streams(SECONDS), [detector], pace=Pace(window_s=2.0, session_s=4.0))
    # It ends at the next random access point, and the rest is for the next.
    assert 4.0 <= session.reached_s <= 5.1
