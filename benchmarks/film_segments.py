"""A two-hour film analyzed in segments out of S3 against one pass: findings, and bytes read.

    python benchmarks/film_segments.py [--minutes 120] [--segment-s 90] [--index tail]

A minute with defects, one of them where segments are cut, is repeated packet by packet and put
behind S3's protocol on this machine. The film is analyzed once in one pass, and once as batch
transform does it: planned into segments, each analyzed from its s3:// address as the handlers do,
the answers merged. Every range that is asked of S3 is recorded. A segment's own bytes are those of
its packets; bytes of the index (the moov box) are counted apart.
"""

from __future__ import annotations

import argparse
import http.server
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from fractions import Fraction
from functools import cache
from itertools import repeat
from pathlib import Path
from typing import Any

import av
from throughput import loop

from defectscope.analysis import analyze, decide, merge
from defectscope.client.records import encode
from defectscope.deploy.catalogue import Asset, plan
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.s3 import default_client
from defectscope.media.writer import write_clip
from defectscope.serving.assets import open_asset
from defectscope.serving.codec import read_line
from defectscope.serving.settings import ServingSettings
from defectscope.simulate.run import impair_file, job, stream_of
from defectscope.simulate.synthetic.material import Footage
from defectscope.simulate.synthetic.soundscape import music_like, runs_of

DETECTORS = "black_frames,freeze,letterbox,audio_dropout,loudness"
DEFECTS = (("black_frames", 10.0, 0.4), ("freeze", 29.4, 1.2), ("audio_dropout", 45.0, 0.3))
_URI = "s3://films/film.mp4"
_WIDTH_PX, _HEIGHT_PX, _MINUTE_S = 320, 180, 60
_RATE = Fraction(25, 2)
_VIDEO_BIT_RATE = 400_000
# What a segment may cost, over its own bytes.
_MOST = 1.5
_LEAST_S = 60.0


class Ranges:
    """Remembers the byte ranges that are asked of S3."""

    def __init__(self, client: Any) -> None:
        self.asked: list[tuple[int, int]] = []
        client.meta.events.register("provide-client-params.s3.GetObject", self._note)

    def _note(self, params: dict[str, Any], **_more: object) -> None:
        first, last = params["Range"].removeprefix("bytes=").split("-")
        self.asked.append((int(first), int(last) + 1))

    def outside(self, box: tuple[int, int]) -> int:
        """Returns how many bytes were asked for outside a part of the file."""
        return sum(
            last - first - max(0, min(last, box[1]) - max(first, box[0]))
            for first, last in self.asked
        )


class OneObject(http.server.BaseHTTPRequestHandler):
    """Answers S3's HEAD and ranged GET for one file, without signatures.

    moto reads an object whole for every range, which for half a gigabyte hides everything else.
    """

    protocol_version = "HTTP/1.1"
    path_on_disk = Path()

    def do_HEAD(self) -> None:
        """Returns the size."""
        self._head(200, self.path_on_disk.stat().st_size)

    def do_GET(self) -> None:
        """Returns a range."""
        first, last = (int(n) for n in self.headers["Range"].removeprefix("bytes=").split("-"))
        self._head(206, last + 1 - first)
        with self.path_on_disk.open("rb") as file:
            file.seek(first)
            self.wfile.write(file.read(last + 1 - first))

    def _head(self, status: int, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.send_header("ETag", '"one"')
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Keeps quiet."""


@contextmanager
def local_s3(path: Path) -> Iterator[None]:
    """Puts a file behind S3's protocol for the handlers' own client, whatever its address."""
    OneObject.path_on_disk = path
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OneObject)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ.update(
        AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{server.server_port}",
        AWS_ACCESS_KEY_ID="local",
        AWS_SECRET_ACCESS_KEY="local",
        AWS_DEFAULT_REGION="us-east-1",
    )
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def make_film(folder: Path, minutes: int, index: str) -> Path:
    """Writes the film; `index` says where its moov box is, `head` or `tail`."""
    clean, minute, film = (folder / f"{name}.mp4" for name in ("clean", "minute", "film"))
    write_clip(
        clean,
        frames=Footage(
            seed=11,
            width=_WIDTH_PX,
            height=_HEIGHT_PX,
            rate=_RATE,
            frames=int(_RATE * _MINUTE_S),
            cuts_s=tuple(range(4, _MINUTE_S, 4)),
        ),
        runs=runs_of(music_like(5, float(_MINUTE_S), 48_000)),
        video=VideoEncoding(
            _WIDTH_PX, _HEIGHT_PX, _RATE, crf=None, bit_rate=_VIDEO_BIT_RATE, gop_frames=25
        ),
        audio=AudioEncoding(),
    )
    stream = stream_of(clean)
    jobs = [
        job(name, stream, seed=3, start_s=at, duration_s=length, severity=5.0)
        for name, at, length in DEFECTS
    ]
    impair_file(clean, minute, jobs)
    loop(minute, film, minutes)
    if index == "head":
        moved = folder / "moved.mp4"
        with (
            av.open(str(film)) as source,
            av.open(str(moved), "w", options={"movflags": "+faststart"}) as target,
        ):
            made = {s.index: target.add_stream_from_template(s) for s in source.streams}
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = made[packet.stream.index]
                    target.mux(packet)
        moved.replace(film)
    return film


def index_box(path: Path) -> tuple[int, int]:
    """Returns where the moov box begins and ends."""
    with path.open("rb") as file:
        position, end = 0, path.stat().st_size
        while position < end:
            file.seek(position)
            head = file.read(16)
            size = int.from_bytes(head[:4], "big")
            if size == 1:
                size = int.from_bytes(head[8:], "big")
            if head[4:8] == b"moov":
                return position, position + size
            position += size or end
    raise ValueError("no moov box")


def own_bytes(path: Path, edges_s: list[float]) -> list[int]:
    """Returns the bytes of the packets that are presented between each two edges."""
    sizes = [0] * (len(edges_s) - 1)
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.pts is None or not packet.size:
                continue
            at_s = float(packet.pts * packet.time_base)
            number = int(at_s / (edges_s[1] - edges_s[0]))
            sizes[min(max(number, 0), len(sizes) - 1)] += packet.size
    return sizes


@cache
def recorded_ranges() -> Ranges:
    """Returns what this process asks of S3 from now on."""
    return Ranges(default_client())


def analyze_record(
    fields: dict[str, Any], detectors: tuple[str, ...], box: tuple[int, int]
) -> tuple[dict[str, Any], int, int]:
    """Evaluates one record as a handler does.

    Returns:
        The answer, the bytes read outside the index, and the number of requests.
    """
    ranges = recorded_ranges()
    ranges.asked.clear()
    request = read_line(encode(fields))
    with closing(open_asset(request, ServingSettings(), detectors)) as asset:
        answer = decide(asset.measure(), keep_measurements=request.measurements).to_dict()
    return answer, ranges.outside(box), len(ranges.asked)


def findings(report: Any) -> list[tuple[Any, ...]]:
    """Returns what must be equal of a report's findings."""
    return [
        (f.defect, f.start_frame, f.end_frame, f.start_s, f.end_s, f.severity)
        for f in report.findings
    ]


def main() -> None:
    """Evaluates both ways, compares, and prints; exit 1 when anything is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=120)
    parser.add_argument("--segment-s", type=float, default=90.0)
    parser.add_argument("--workers", type=int, default=2, help="segments analyzed at once")
    parser.add_argument("--index", choices=["head", "tail"], default="tail")
    parser.add_argument("--detectors", default=DETECTORS)
    options = parser.parse_args()
    detectors = tuple(options.detectors.split(","))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        film = make_film(folder, options.minutes, options.index)
        box = index_box(film)
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        one = analyze(film, detectors=detectors)
        one_s, one_cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
        duration_s = float(one.asset["duration_s"])
        px_hz = float(_WIDTH_PX * _HEIGHT_PX * _RATE)
        film_plan = plan(
            [Asset(_URI, duration_s, px_hz)], segment_s=options.segment_s, detectors=detectors
        )
        count = film_plan.segments[film_plan.assets[0].id]
        edges_s = [options.segment_s * number for number in range(count)] + [duration_s]
        own = own_bytes(film, edges_s)
        with local_s3(film):
            began_s = time.perf_counter()
            (asset,) = film_plan.assets
            records = [fields for fields, _ in film_plan.records(asset)]
            with ProcessPoolExecutor(options.workers) as pool:
                answered = pool.map(analyze_record, records, repeat(detectors), repeat(box))
                answers, read, requests = zip(*answered, strict=True)
            cut_s = time.perf_counter() - began_s
        merged = merge(answers)
    same = findings(one) == findings(merged)
    # The end of the programme may be a shorter segment.
    whole = [n for n in range(count) if edges_s[n + 1] - edges_s[n] >= _LEAST_S]
    ratios = [read[n] / own[n] for n in whole]
    image = f"{_WIDTH_PX}x{_HEIGHT_PX} at {float(_RATE)} fps"
    print(
        f"{duration_s / 60:.1f} min, {image}, {sum(own) / 1e6:.0f} MB, index of",
        f"{(box[1] - box[0]) / 1e6:.1f} MB at the {options.index}; {', '.join(detectors)}",
    )
    print(f"one pass: {len(one.findings)} findings in {one_s:.0f} s ({one_cpu_s:.0f} s of CPU)")
    print(
        f"{count} segments of {options.segment_s:g} s: {len(merged.findings)} findings in",
        f"{cut_s:.0f} s; {'equal' if same else 'NOT EQUAL'}",
    )
    verdicts = {name: verdict["verdict"] for name, verdict in one.verdicts.items()}
    equal = verdicts == {name: verdict["verdict"] for name, verdict in merged.verdicts.items()}
    print(f"verdicts {'equal' if equal else 'NOT EQUAL'}: {verdicts}")
    sizes_mb = [own[n] / 1e6 for n in whole]
    print(
        f"bytes read over a segment's own, index apart: median {statistics.median(ratios):.3f}, "
        f"largest {max(ratios):.3f}; own bytes {min(sizes_mb):.2f}-{max(sizes_mb):.2f} MB; "
        f"requests, index included: median {statistics.median(requests):.0f}"
    )
    if not (same and equal and max(ratios) <= _MOST):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
