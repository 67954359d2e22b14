"""Scores of the block corruption detector: events, frames, maps, the gate, false alarms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from defectscope.detectors import load
from defectscope.detectors.block_corruption.layout import CELL_PX
from defectscope.engine.contracts import Tuned
from defectscope.media import open_media
from defectscope.media.frames import Frame
from defectscope.media.pixels import to_rgb
from defectscope.simulate.effects.damage_mask import CLEAN, DAMAGED, LABEL_PX
from defectscope.training.block_corruption.hard_negatives import HARD_NEGATIVES
from defectscope.training.block_corruption.programmes import (
    FRAMES,
    MIN_IOU,
    NAME,
    RATE_FPS,
    TOUCHED_SHARE,
    VISIBLE_AREA,
    Evaluated,
    evaluate,
    match,
)
from defectscope.training.block_corruption.sources import VIDEO_SUFFIXES
from defectscope.training.scores import auc, poisson_upper

# Events by the largest share of the frame that they damage.
_SIZES = {"under 1 %": 0.01, "1 to 3 %": 0.03, "3 to 10 %": 0.1, "over 10 %": 1.01}


def event_scores(
    evaluated: Sequence[Evaluated],
    tuned: Tuned | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Precision, recall and F1 of events; false ones in clips without any damage."""
    detector = load(NAME, parameters)
    if tuned is not None:
        detector = type(detector)(tuned=tuned, params=detector.params)
    missed: dict[str, int] = {}
    found = predicted_all = truth_all = false = 0
    sizes: dict[str, list[int]] = {name: [0, 0] for name in _SIZES}
    errors: list[float] = []
    for each in evaluated:
        predicted = [f.interval for f in detector.decide(each.measured, each.stream).findings]
        truth = each.clip.truth
        matched = match(truth, predicted)
        found += matched
        kind = str(each.clip.facts["generator"])
        missed[kind] = missed.get(kind, 0) + len(truth) - matched
        predicted_all, truth_all = predicted_all + len(predicted), truth_all + len(truth)
        for span in truth:
            first, stop = (round(at * RATE_FPS) for at in (span.start_s, span.end_s))
            largest = each.clip.areas[first:stop].max()
            size = next(name for name, most in _SIZES.items() if largest < most)
            sizes[size][0] += any(span.iou(s) >= MIN_IOU for s in predicted)
            sizes[size][1] += 1
        if not (each.clip.areas > 0).any():
            false += len(predicted)
        errors += [
            abs(t.start_s - s.start_s) for t in truth for s in predicted if t.iou(s) >= MIN_IOU
        ] + [abs(t.end_s - s.end_s) for t in truth for s in predicted if t.iou(s) >= MIN_IOU]
    precision, recall = found / max(predicted_all, 1), found / max(truth_all, 1)
    return {
        "events": truth_all, "findings": predicted_all, "matched": found,
        "precision": round(precision, 4), "recall": round(recall, 4),
        "f1": round(2 * precision * recall / max(precision + recall, 1e-9), 4),
        "false_in_clean_clips": false, "missed_by_kind": {k: n for k, n in missed.items() if n},
        "found_of_by_largest_area": sizes,
        "median_end_error_s": round(float(np.median(errors)), 4) if errors else float("nan"),
    }  # fmt: skip


def frame_scores(evaluated: Sequence[Evaluated]) -> dict[str, Any]:
    """AUC over the frames that the network looked at, whole and by kind of damage.

    Of the network's decision on a frame (`auc`), and of the detector's, which weighs what was said
    of the frames around it as well (`detector_auc`).
    """
    scores, weighed, labels, kinds, blocks = [], [], [], [], []
    detector = load(NAME)
    for each in evaluated:
        areas = each.clip.areas
        touched = np.array([(mask != CLEAN).mean() for mask in each.clip.masks])
        rows, logits, _ = each.sampled()
        ruler = blockiness(each.clip.path)
        known, odds = detector.log_odds(each.measured)
        odds = odds[np.searchsorted(known.rows, rows)]
        for row, logit, predicted in zip(
            rows.tolist(), logits.tolist(), odds.tolist(), strict=True
        ):
            hit = areas[row] >= VISIBLE_AREA
            if not hit and (areas[row] > 0 or touched[row] > TOUCHED_SHARE):
                continue
            scores.append(logit)
            weighed.append(predicted)
            labels.append(bool(hit))
            kinds.append(each.clip.facts)
            blocks.append(ruler[row] if row < len(ruler) else 0.0)
    value, label = np.array(scores, float), np.array(labels)
    whole = np.array(weighed, float)
    out: dict[str, Any] = {
        "frames": len(label), "damaged": int(label.sum()),
        "auc": round(auc(value, label), 4),
        "detector_auc": round(auc(whole, label), 4),
        "ffmpeg_blockdetect_auc": round(auc(np.array(blocks, float), label), 4),
    }  # fmt: skip
    for fact in ("generator", "codec", "concealment"):
        for name in sorted({k.get(fact) or "" for k in kinds} - {""} - set(HARD_NEGATIVES)):
            own = np.array([k.get(fact) == name for k in kinds]) & label
            if own.any():
                keep = own | ~label
                out[f"auc_{name}"] = round(auc(value[keep], label[keep]), 4)
                out[f"detector_auc_{name}"] = round(auc(whole[keep], label[keep]), 4)
    return out


def blockiness(path: Path) -> list[float]:
    """FFmpeg's blockdetect on every frame."""
    import av

    values: list[float] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        graph = av.filter.Graph()
        source = graph.add_buffer(template=stream)
        detect, sink = graph.add("blockdetect"), graph.add("buffersink")
        source.link_to(detect)
        detect.link_to(sink)
        graph.configure()
        for frame in container.decode(stream):
            graph.push(frame)
            seen = graph.pull()
            values.append(float(dict(seen.metadata).get("lavfi.block", 0.0)))
    # It divides by nothing where a frame is flat.
    return [0.0 if math.isnan(value) else value for value in values]


def gate_recall(evaluated: Sequence[Evaluated]) -> dict[str, Any]:
    """Share of events of which the network was shown a visibly damaged frame."""
    events_all = met = 0
    for each in evaluated:
        rows, _, _ = each.sampled()
        seen = np.zeros(FRAMES, bool)
        seen[rows] = True
        seen[np.maximum(rows - 1, 0)] = True
        shown = seen & (each.clip.areas >= VISIBLE_AREA)
        for span in each.clip.truth:
            events_all += 1
            a, b = round(span.start_s * RATE_FPS), round(span.end_s * RATE_FPS)
            met += bool(shown[a:b].any())
    return {"events": events_all, "shown": met, "recall": round(met / max(events_all, 1), 4)}


def map_iou(evaluated: Sequence[Evaluated], per_clip: int = 4) -> dict[str, Any]:
    """IoU of the map at its threshold with the truth, cell by cell, over damaged frames."""
    detector = load(NAME)
    cell = detector.tuned.thresholds["cell"]
    ious: list[float] = []
    both_all = any_all = 0
    for each in evaluated:
        visible = np.flatnonzero(each.clip.areas >= VISIBLE_AREA)
        if not len(visible):
            continue
        chosen = set(visible[np.linspace(0, len(visible) - 1, per_clip).astype(int)].tolist())
        before = None
        with open_media(each.clip.path) as reader:
            for row, frame in enumerate(reader.read(audio=False)):
                if isinstance(frame, Frame) and row in chosen:
                    now = to_rgb(frame.native, detector.params.max_height_px)
                    earlier = now if before is None else to_rgb(
                        before.native, detector.params.max_height_px)  # fmt: skip
                    seen = detector.runtime(now, earlier)
                    cells, _ = detector.heads(now, earlier, *seen)
                    truth, sure = cell_truth(each.clip.masks[row], now.shape[:2], cells.shape[1:])
                    predicted = cells[0] >= cell
                    both = int((predicted & truth & sure).sum())
                    union = int(((predicted | truth) & sure).sum())
                    both_all, any_all = both_all + both, any_all + union
                    if truth.any():
                        ious.append(both / max(union, 1))
                before = frame if isinstance(frame, Frame) else before
    return {
        "frames": len(ious), "mean": round(float(np.mean(ious)), 4) if ious else None,
        "pooled": round(both_all / max(any_all, 1), 4),
    }  # fmt: skip


def cell_truth(mask: np.ndarray, size: tuple[int, ...], cells: tuple[int, ...]) -> Any:
    """Labels by block on the grid of the map, for a frame that may have been scaled down."""
    scale = mask.shape[0] * LABEL_PX / size[0]
    truth, sure = np.zeros(cells, bool), np.zeros(cells, bool)
    side = CELL_PX * scale / LABEL_PX
    for row in range(cells[0]):
        for col in range(cells[1]):
            top, left = int(row * side), int(col * side)
            bottom = max(top + 1, round((row + 1) * side))
            right = max(left + 1, round((col + 1) * side))
            part = mask[top:bottom, left:right]
            if part.size:
                damaged = float((part == DAMAGED).mean())
                truth[row, col] = damaged >= 0.25
                sure[row, col] = damaged >= 0.25 or (
                    damaged == 0 and (part != CLEAN).mean() <= 0.25)  # fmt: skip
    return truth, sure


def clean_minutes(folders: Sequence[Path], skip: Sequence[str], work: Path) -> dict[str, Any]:
    """False findings on whole recordings as they are."""
    out: dict[str, Any] = {"findings": []}
    seconds = 0.0
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES):
            if any(part in str(path) for part in skip):
                continue
            measured, stream = evaluate(path, work)
            result = load(NAME).decide(measured, stream)
            seconds += stream.duration_s
            out["findings"] += [
                {"file": path.name, "start_s": f.start_s, "end_s": f.end_s,
                 "confidence": f.confidence}
                for f in result.findings
            ]  # fmt: skip
    false = len(out["findings"])
    minutes = seconds / 60
    return out | {
        "minutes": round(minutes, 2),
        "false_per_10_min": round(false / max(minutes, 1e-9) * 10, 3),
        "upper_95_per_10_min": round(poisson_upper(false) / max(minutes, 1e-9) * 10, 3),
    }
