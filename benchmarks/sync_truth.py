"""Writes down by how much talking clips are out of step as they come, by nothing learned.

    python benchmarks/sync_truth.py --clips TALKING --clips TALKING_FOUND --cache FOLDER

How far the lips are open, and how fast they open, is held against the level of speech and how fast
it rises, in steps of 10 ms; where both agree and stand out from every other offset, that is the
clip's own. It shares the landmarks with the detector, and no weight. What was seen by eye stands in
EYE. Published corpora are not in step by themselves: nobody put their clips right.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage
from talking_clips import ROOT, TRUTH, of_folder

from defectscope.detectors.av_sync.baseline import opening
from defectscope.detectors.av_sync.clips import Clip
from defectscope.detectors.av_sync.crops import RATE_FPS, Mouth
from defectscope.detectors.av_sync.fragments import MIN_FRAMES
from defectscope.detectors.av_sync.sound import log_mel

OUT = ROOT / "tests" / "expected_findings" / "talking_offsets.json"
STEP_MS, REACH_MS = 10, 600
# Offsets beyond this are not believed, nor leads below, nor two measures further apart.
_FARTHEST_MS, _LEAST_LEAD, _AGREE_MS = 400, 1.3, 40
# What a frame shows is the middle of its exposure: a quarter of the time to the next frame, as the
# drawn speakers have it. The six laboratory recordings of GRID are in step within a millisecond so.
_EXPOSURE = 0.25
_SPEECH = slice(4, 28)
_DEPTH, _SLOW, _SMOOTH = 9.0, 48.0, 3.0
_PEAK_STEPS = 12
# A face that is so much larger than another is the one that the frame is about.
_LARGER = 1.4

# Seen by eye on lips and level side by side.
EYE: dict[str, str] = {
    "p70m_466": "voice-over: the lips smile and part while nobody speaks",
    "vox_05": "lips open in silences and close on vowels two to three frames later",
    "stm_01": "lips part at 47 and 65, vowels from 49 and 67.5: late by two to three frames",
    "sty_a565": "lips part at 20 and 65, vowels from 23 and 68: late by three frames",
}
_NO_SPEECH = ("p70m_466", "liveportrait_d12")


def truth(clip: Clip) -> tuple[float, float] | None:
    """Returns a clip's own offset in milliseconds, late positive, and its lead; None if unsure."""
    lags = np.arange(-REACH_MS, REACH_MS + 1, STEP_MS)
    level = _level(clip.sound)
    sums = np.zeros((2, len(lags)))
    count = 0
    mouths = _alone([m for m in clip.mouths if len(m) >= MIN_FRAMES])
    for mouth in mouths or ():
        seen_s = (mouth.first_frame + np.arange(len(mouth)) + _EXPOSURE) / RATE_FPS
        grid_s = np.arange(seen_s[0], seen_s[-1], STEP_MS / 1000)
        open_ = _fast(np.interp(grid_s, seen_s, opening(mouth)[:, 0]))
        pairs = [(open_, level), (_speed(open_), _speed(level))]
        for place, lag in enumerate(lags):
            rows = np.rint((grid_s * 1000 + lag - STEP_MS / 2) / STEP_MS).astype(int)
            there = (rows >= 0) & (rows < len(level))
            if there.sum() * STEP_MS < 1000:
                continue
            for k, (lips, voice) in enumerate(pairs):
                similar = np.corrcoef(lips[there], voice[rows[there]])[0, 1]
                sums[k, place] += similar * len(grid_s)
        count += len(grid_s)
    if not count:
        return None
    curves = sums / count
    (by_opening, _), (by_speed, _), (both, lead) = (
        _peak(lags, c) for c in (*curves, curves.mean(axis=0))
    )
    # Longer clips are surer: with the root of the number of frames.
    lead *= np.sqrt(count * STEP_MS / 1000 * RATE_FPS)
    sure = lead >= _LEAST_LEAD and abs(by_opening - by_speed) <= _AGREE_MS
    return (both, lead) if sure and abs(both) <= _FARTHEST_MS else None


def _alone(mouths: Sequence[Mouth]) -> list[Mouth] | None:
    """Returns the mouths of whom the frame is about; None where two faces are about as large.

    Who of two speaks is not for a measure to say.
    """
    sizes = [float(np.median(m.boxes[:, 3] - m.boxes[:, 1])) for m in mouths]
    out: list[Mouth] = []
    for own, size in zip(mouths, sizes, strict=True):
        phones_path = [
            other_size
            for other, other_size in zip(mouths, sizes, strict=True)
            if other is not own
            and other.first_frame < own.first_frame + len(own)
            and own.first_frame < other.first_frame + len(other)
        ]
        if any(size / _LARGER < other < size * _LARGER for other in phones_path):
            return None
        if all(other < size for other in phones_path):
            out.append(own)
    return out


def _level(sound: np.ndarray) -> np.ndarray:
    mel = log_mel(sound).astype(np.float64)
    level = np.log(np.exp(mel[:, _SPEECH]).mean(axis=1))
    return _fast(np.maximum(level, level.max() - _DEPTH))


def _fast(values: np.ndarray) -> np.ndarray:
    return values - ndimage.gaussian_filter1d(values, _SLOW, mode="nearest")


def _speed(values: np.ndarray) -> np.ndarray:
    return np.gradient(ndimage.gaussian_filter1d(values, _SMOOTH))


def _peak(lags: np.ndarray, curve: np.ndarray) -> tuple[float, float]:
    top = int(np.argmax(curve))
    others = np.abs(np.arange(len(curve)) - top) > _PEAK_STEPS
    between = 0.0
    if 0 < top < len(curve) - 1:
        before, here, after = curve[top - 1 : top + 2]
        bend = before - 2 * here + after
        between = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return float(lags[top] + STEP_MS * between), float(curve[top] - curve[others].max())


def written(folders: Sequence[Path], kept: Path | None) -> dict[str, Any]:
    """Returns what is known of every clip."""
    eye = json.loads(TRUTH.read_text("utf-8"))["clips"]
    out: dict[str, Any] = {}
    for name, clip in of_folder(folders, kept):
        facts = eye.get(name, {})
        found = None if name in _NO_SPEECH else truth(clip)
        entry: dict[str, Any] = {"native_offset_ms": None, "how": "unknown"}
        if facts.get("evaluation_only"):
            entry = {"native_offset_ms": 0.0, "how": "laboratory recording"}
        elif found is not None:
            entry = {"native_offset_ms": round(found[0], 1), "how": "measured"}
        elif facts.get("native_offset_frames") is not None:
            frames_ms = 1000 / RATE_FPS * facts["native_offset_frames"]
            entry = {"native_offset_ms": frames_ms, "how": "seen by eye"}
        if found is not None:
            entry |= {"measured_ms": round(found[0], 1), "lead": round(found[1], 2)}
        if name in EYE:
            entry["seen"] = EYE[name]
        entry["learned_from"] = bool(facts) and not facts["evaluation_only"]
        out[name] = entry
    return out


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, action="append", required=True)
    parser.add_argument("--cache", type=Path, help="where mouths and sound of clips are kept")
    given = parser.parse_args()
    document = {
        "what": "By how many milliseconds the sound of talking clips is late as they come, "
        "measured by benchmarks/sync_truth.py without anything learned, or seen by eye.",
        "clips": written(given.clips, given.cache),
    }
    lines = [f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in document["clips"].items()]
    text = f'{{\n "what": {json.dumps(document["what"])},\n "clips": {{\n' + ",\n".join(lines)
    OUT.write_text(text + "\n }\n}\n", "utf-8")
    known = [v for v in document["clips"].values() if v["native_offset_ms"] is not None]
    print(f"{len(known)} of {len(document['clips'])} clips have a truth: {OUT}")


if __name__ == "__main__":
    main()
