"""Reports made up for tests: a full one, an empty one, a huge one, a hostile one."""

from __future__ import annotations

import random
from typing import Any

from defectscope.findings import Curve, Finding, Report, Severity

DETECTORS = (
    "audio_artifacts", "audio_dropout", "av_sync", "banding", "black_frames", "block_corruption",
    "blur", "caption_quality", "color_error", "compression_blockiness", "flicker", "freeze",
    "interlacing", "letterbox", "loudness", "stereo_image", "stream_integrity", "stutter",
    "tearing", "test_pattern", "video_noise",
)  # fmt: skip


def timecode(time_s: float, fps: int = 25) -> str:
    frame = round(time_s * fps)
    seconds, frames = divmod(frame, fps)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frames:02d}"


def finding(
    detector: str,
    start_s: float,
    end_s: float,
    severity: Severity = "major",
    confidence: float = 0.9,
    defect: str | None = None,
    **evidence: Any,
) -> Finding:
    return Finding(
        detector=detector,
        defect=defect or detector,
        start_s=start_s,
        end_s=end_s,
        confidence=confidence,
        severity=severity,
        evidence=evidence,
        start_frame=round(start_s * 25),
        end_frame=round(end_s * 25),
        start_timecode=timecode(start_s),
        end_timecode=timecode(end_s),
    )


def report_of(
    findings: list[Finding], duration_s: float = 60.0, uri: str = "trailer_1080p.mov", seed: int = 1
) -> Report:
    draw = random.Random(seed)
    failed = {f.detector for f in findings}
    names = sorted({*DETECTORS, *failed})
    verdicts: dict[str, dict[str, Any]] = {}
    curves: dict[str, dict[str, Curve]] = {}
    for name in names:
        verdict = "fail" if name in failed else "pass"
        verdicts[name] = {"verdict": verdict, "peak_score": {name: round(draw.random(), 3)}}
        points = 500
        step_s = duration_s / points
        low = [0.05 + 0.05 * draw.random() for _ in range(points)]
        for f in findings:
            if f.detector == name:
                last = min(points, int(f.end_s / step_s) + 1)
                for k in range(max(0, int(f.start_s / step_s)), last):
                    low[k] = 0.8 + 0.1 * draw.random()
        curves[name] = {name: Curve(step_s, low, [v + 0.1 * draw.random() for v in low])}
    if "caption_quality" not in failed:
        verdicts["caption_quality"]["verdict"] = "not_applicable"
        del curves["caption_quality"]
    if "banding" not in failed:
        verdicts["banding"]["verdict"] = "inconclusive"
    return Report(
        asset={
            "uri": uri,
            "duration_s": duration_s,
            "video": {"width": 1920, "height": 1080, "frame_rate": "25/1", "codec": "h264"},
            "audio": {"rate_hz": 48000, "channels": 2, "layout": "stereo", "codec": "aac"},
        },
        findings=tuple(sorted(findings, key=lambda f: f.start_s)),
        verdicts=verdicts,
        curves=curves,
        detectors={n: {"version": "1.0.0", "parameters": {"window_s": 0.4}} for n in names},
        timing={"wall_s": 6.0, "realtime_factor": 10.0},
    )


def full_report() -> Report:
    corrupted = [
        [max(0.0, 0.95 - 0.09 * ((r - 10) ** 2 / 4 + (c - 40) ** 2 / 20)) for c in range(60)]
        for r in range(34)
    ]
    offsets = list(range(-600, 640, 40))
    distances = [11.2 - 4.4 * 2.718 ** (-(((o - 160) / 90) ** 2)) for o in offsets]
    return report_of(
        [
            finding("black_frames", 3.0, 4.2, mean_luma_code=16.2, dark_fraction=0.998),
            finding("black_frames", 31.4, 31.6, "minor", 0.72, mean_luma_code=17.9),
            finding("block_corruption", 12.0, 12.48, "critical", 0.97, map=corrupted,
                    corrupted_area=0.113, peak_point_px=[1296, 334], frames=12),
            finding("av_sync", 20.0, 28.0, "critical", 0.88, offset_ms=160.0, spread_ms=18.0,
                    distances=distances, offsets_ms=offsets,
                    tracks=[{"start_s": 20.0, "end_s": 28.0, "box_px": [700, 180, 420, 420]}]),
            finding("tearing", 36.2, 36.28, "minor", 0.81, seam_row_px=412, shear_px=9),
            finding("loudness", 0.0, 60.0, "minor", 1.0, integrated_lufs=-18.4, target_lufs=-23.0),
            finding("audio_artifacts", 41.0, 44.0, "major", 0.93, "audio_hum",
                    hum_hz=50.0, level_dbfs=-38.2, harmonics=[0.9, 0.4, 0.3, 0.1]),
            finding("audio_dropout", 48.0, 48.3, "major", 0.99, channels="L, R", floor_dbfs=-96.0),
            finding("freeze", 52.0, 54.4, "major", 0.98, motion_code=0.02, still_frames=60),
        ]
    )  # fmt: skip


def empty_report() -> Report:
    return report_of([])


def huge_report(count: int = 5000) -> Report:
    draw = random.Random(7)
    findings: list[Finding] = []
    for _ in range(count):
        start_s = round(draw.uniform(0, 35_900), 2)
        severity: Severity = draw.choice(("minor", "minor", "minor", "major", "critical"))
        name = draw.choice(DETECTORS)
        length_s = round(draw.uniform(0.04, 20), 2)
        confidence = round(draw.uniform(0.5, 1), 3)
        findings.append(finding(name, start_s, start_s + length_s, severity, confidence, score=0.5))
    return report_of(findings, duration_s=36_000.0, uri="s3://masters/marathon.mxf")


HOSTILE = '</script><script>window.pwned=1</script><img src=x onerror="window.pwned=1">\u2028]]>'


def hostile_report() -> Report:
    evidence = {
        HOSTILE: HOSTILE,
        "thumbnails_jpeg_base64": ['x" onerror="window.pwned=1', "http://127.0.0.1/a.png"],
        "map": [[0.1, "x"], [None]],
        "tracks": [None, {"box_px": HOSTILE}, 7],
        "distances": [1, 2],
        "offsets_ms": ["a"],
        "nested": {"a": {"b": {"c": {"d": {"e": HOSTILE}}}}},
        "__proto__": {"x": 1},
    }
    return report_of(
        [finding("freeze", 1.0, 2.0, "minor", 0.5, **evidence)], uri=HOSTILE + "\x1b[31m[bold]"
    )
