"""Parts of a stream whose clock starts again are found where they are, not where the clock says."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from made_media import SEEN, black, kinds, write

from defectscope.analysis import analyze, merge
from defectscope.findings import Report
from defectscope.media import open_media
from defectscope.media.ranged import RangedFile

SPANS_S = ((None, 2.0), (2.0, 4.7), (4.7, None))


def facts(report: Report) -> list[dict[str, Any]]:
    return json.loads(report.to_json())["findings"]


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two parts of 3.6 s whose clocks begin alike; the second is black from 1 s to 2 s."""
    folder = tmp_path_factory.mktemp("joined")
    write(folder / "a.ts", seconds=3.6)
    write(folder / "b.ts", seconds=3.6, black_s=(1.0, 2.0))
    path = folder / "ab.ts"
    path.write_bytes((folder / "a.ts").read_bytes() + (folder / "b.ts").read_bytes())
    return path


@pytest.fixture(scope="module")
def whole(joined: Path) -> Report:
    return analyze(joined, detectors=SEEN)


def test_the_programme_goes_on_and_the_join_alone_is_a_finding(whole: Report) -> None:
    assert kinds(whole) == ["clock_restart"]
    ((start_s, end_s),) = black(whole)
    assert (start_s, end_s) == (pytest.approx(4.6, abs=0.1), pytest.approx(5.6, abs=0.1))
    assert len(whole.findings) == 2


@pytest.mark.parametrize("far_away", [False, True])
def test_its_segments_join_to_one_pass(joined: Path, whole: Report, far_away: bool) -> None:
    data = joined.read_bytes()

    def media() -> Any:
        if not far_away:
            return joined
        return RangedFile(lambda first, last: data[first:last], len(data), name="ab.ts")

    parts = [
        analyze(media(), detectors=SEEN, start_s=start_s, end_s=end_s, measurements=True)
        for start_s, end_s in SPANS_S
    ]
    merged = merge([json.loads(part.to_json()) for part in parts])
    assert facts(merged) == facts(whole)


@pytest.mark.usefixtures("shared_at_any_length")
def test_several_workers_give_one_pass_and_say_so(
    joined: Path, whole: Report, caplog: pytest.LogCaptureFixture
) -> None:
    assert facts(analyze(joined, detectors=SEEN, workers=2)) == facts(whole)
    assert "its clock starts again" in caplog.text


def test_a_clock_that_goes_on_is_sought_by_its_time_stamps(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"
    write(path, seconds=6.0)
    with open_media(path) as reader:
        assert reader.is_continuous()
    data = path.read_bytes()
    far = RangedFile(lambda first, last: data[first:last], len(data), name="clip.ts")
    with open_media(far) as reader:
        assert reader.is_continuous()


def test_a_clock_that_jumps_forward_is_noticed(tmp_path: Path) -> None:
    step_s = Fraction(1000)
    made, path = tmp_path / "made.ts", tmp_path / "jumps.ts"
    write(made, seconds=4.0)
    with av.open(str(made)) as source, av.open(str(path), "w") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in source.streams}
        first = {s.index: 0 if s.start_time is None else s.start_time for s in source.streams}
        for packet in source.demux():
            if packet.dts is None:
                continue
            since_s = (packet.dts - first[packet.stream.index]) * packet.time_base
            if since_s > 2:
                packet.pts += round(step_s / packet.time_base)
                packet.dts += round(step_s / packet.time_base)
            packet.stream = streams[packet.stream.index]
            out.mux(packet)
    with open_media(path) as reader:
        assert not reader.is_continuous()
