"""Runs cases one after another in a process of its own, and says what became of each.

Reads lines `KIND NUMBER` and answers each with one line of JSON.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from mutate import damaged, damaged_json
from seeds import caption_seeds, lures, media_seeds

from defectscope.analysis import analyze
from defectscope.detectors.registry import names
from defectscope.errors import DefectscopeError
from defectscope.media.sidecar import read_captions

# Networks cost ten times as much as all the rest together: they see every tenth case.
_NETWORKS = frozenset({"av_sync", "block_corruption", "audio_artifacts"})
_EVERY = 10
_TYPES = (
    "application/json", "application/jsonlines", "video/mp4", "audio/wav", "text/plain", "",
    "video/",
    "application/json; charset=utf-16", "APPLICATION/OCTET-STREAM", "multipart/form-data", "\x00",
)  # fmt: skip


class CaseFailedError(Exception):
    """An answer that nobody should get."""


def case_of(kind: str, number: int, port: int) -> tuple[str, Any]:
    """Returns what a case feeds in: its seed's name and the damaged input."""
    rng = random.Random(f"{kind} {number}")
    if kind == "requests":
        return _request(rng, port)
    pool = {
        "media": lambda: {**media_seeds(), **(lures(port) if number % 8 == 0 else {})},
        "captions": lambda: {**caption_seeds(), "entity": lures(port)["entity"]},
    }[kind]()
    name = rng.choice(sorted(pool))
    return name, damaged(rng, pool[name], [pool[other] for other in sorted(pool)])


def _request(rng: random.Random, port: int) -> tuple[str, tuple[bytes, dict[str, str]]]:
    """Returns a body and headers: records, merges, uploads with options, lines."""
    record = {
        "uri": f"http://127.0.0.1:{port}/lure.mp4",
        "captions_uri": "s3://bucket/a.vtt",
        "start_s": 0.0,
        "end_s": 0.4,
        "detectors": ["freeze", "loudness", "caption_quality"],
        "parameters": {"freeze": {"min_duration_s": 1.0}},
        "id": "a",
        "measurements": True,
    }
    merge = {"merge": _parts(), "id": "m"}
    form = rng.choice(("record", "merge", "options", "lines", "bytes", "upload"))
    types = {"record": 0, "merge": 0, "lines": 1, "bytes": 0, "options": 2, "upload": 2}
    kind = _TYPES[types[form]] if rng.random() < 0.85 else rng.choice(_TYPES)
    headers = {"content-type": kind}
    media = media_seeds()["mp3"]
    body = b""
    if form in ("record", "merge"):
        changed = damaged_json(rng, record if form == "record" else merge)
        body = json.dumps(changed).encode("utf-8", "surrogatepass")
    elif form == "lines":
        rows = [json.dumps(damaged_json(rng, record)).encode() for _ in range(rng.randrange(1, 5))]
        body = rng.choice((b"\n", b"\r\n", b"\0\n")).join(rows)
    elif form == "bytes":
        body = damaged(rng, json.dumps(rng.choice((record, merge))).encode(), [b"{}", b'["'])
    else:
        del record["uri"], record["captions_uri"]
        options = json.dumps(damaged_json(rng, record))
        headers["x-amzn-sagemaker-custom-attributes"] = options
        body = media if form == "options" else damaged(rng, media, [media])
    return form, (body, headers)


@cache
def _parts() -> list[dict[str, Any]]:
    """Returns reports of two segments, as a client merges them."""
    out: list[dict[str, Any]] = []
    for start_s, end_s in ((None, 0.25), (0.25, None)):
        report = analyze(
            media_seeds()["mkv"],
            detectors=["freeze", "loudness", "caption_quality"],
            start_s=start_s,
            end_s=end_s,
            measurements=True,
        )
        out.append(report.to_dict())
    return out


@cache
def _handler() -> Any:
    from defectscope.analysis import MeasuredAsset, decide
    from defectscope.serving.assets import OpenAsset, open_asset
    from defectscope.serving.base import DetectorHandler
    from defectscope.serving.codec import AnalysisRequest, encode_report
    from defectscope.serving.smoke import BareContext

    class Handler(DetectorHandler):
        serves = ("freeze", "loudness", "caption_quality", "audio_dropout")

        def preprocess(self, request: AnalysisRequest) -> OpenAsset:
            return open_asset(request, self.settings, self.serves)

        def inference(self, asset: OpenAsset) -> MeasuredAsset:
            return asset.measure()

        def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
            report = decide(measured, keep_measurements=request.measurements)
            return encode_report(report, request.id)

    made = Handler()
    made.initialize(BareContext("fuzz", {}))
    return made


def run_case(kind: str, number: int, port: int, folder: Path) -> tuple[str, str]:
    """Runs one case; returns its seed's name and how it ended.

    Raises:
        Exception: Whatever is no error that defectscope raises on purpose.
    """
    name, data = case_of(kind, number, port)
    if kind == "requests":
        body, headers = data
        answer = _handler().respond(body, headers, "fuzz")
        lines = [json.loads(line) for line in answer.body.split("\n")]
        codes = [line["error"]["code"] if "error" in line else "judged" for line in lines]
        if "internal_error" in codes:
            raise CaseFailedError("the endpoint answered with an internal error")
        return name, codes[0]
    try:
        if kind == "captions":
            read_captions(data)
            report = analyze(media_seeds()["mp3"], captions=data, detectors=["caption_quality"])
        else:
            everything = number % _EVERY == 0
            chosen = [n for n in names() if everything or n not in _NETWORKS]
            media: Any = data
            if number % 3 == 0:
                media = folder / f"case.{name}"
                media.write_bytes(data)
            report = analyze(media, detectors=chosen)
        json.dumps(report.to_dict(), allow_nan=False)
    except DefectscopeError as error:
        if error.code == "internal_error":
            raise
        return name, error.code
    finally:
        for left in folder.glob("case.*"):
            left.unlink()
    return name, "judged"


@contextmanager
def _silent() -> Generator[None]:
    """Keeps what FFmpeg and log handlers write away from the answers."""
    kept = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nothing)
        os.close(kept)


def main() -> None:
    """Answers cases until the input ends."""
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    os.chdir(folder)
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers, _silent():
        os.dup2(2, 1)
        # What loads on first use counts for no case.
        analyze(media_seeds()["mp4"])
        answers.write("ready\n")
        answers.flush()
        for line in sys.stdin:
            kind, number = line.split()
            answer: dict[str, Any] = {"failure": ""}
            try:
                answer["seed"], answer["outcome"] = run_case(kind, int(number), port, folder)
            except Exception:
                answer["failure"] = traceback.format_exc()
            left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
            if left:
                answer["failure"] += f"\nfiles left behind: {left}"
                for path in left:
                    (folder / path).unlink(missing_ok=True)
            answer["rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
