"""Measures the block corruption detector on recordings that its training never saw.

    python benchmarks/block_corruption.py --root FOLDER [--root FOLDER ...] --work FOLDER
        [--clean FOLDER] [--real FILE] [--clips 6] [--split test] [--tune] [--no-speed]

Clips are made of the recordings of the split, as for training, but whole and as files; the detector
judges the files. With --tune nothing is reported: thresholds are chosen on the validation split and
written into detector.json. Writes docs/results/block_corruption.json; the page beside it quotes it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

from defectscope.detection import measure
from defectscope.detection.artifacts import bundled
from defectscope.detection.tables import column, times_s
from defectscope.detectors import load
from defectscope.detectors.block_corruption.network import CELL_PX, BlockNet, network_input
from defectscope.detectors.block_corruption.runtime import Runtime
from defectscope.findings import Interval, Measurements
from defectscope.media import open_media
from defectscope.media.encoding import VideoEncoding
from defectscope.media.frames import Frame, Plane
from defectscope.media.pixels import to_rgb
from defectscope.media.stream import StreamInfo
from defectscope.media.writer import Writer
from defectscope.simulate._damage_mask import CLEAN, DAMAGED, LABEL_PX
from defectscope.training import corpora
from defectscope.training.recipes import block_examples
from defectscope.training.recipes.block_alikes import ALIKES
from defectscope.training.recipes.block_corruption import Settings
from defectscope.training.recipes.block_sources import STILL_SUFFIXES, VIDEO_SUFFIXES
from defectscope.training.scores import auc, poisson_upper

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "docs" / "results" / "block_corruption.json"
NAME = "block_corruption"
FRAMES, RATE_FPS = 150, 25
SEED = 77
MIN_IOU = 0.5
# A picture counts as visibly damaged from this share of its area on, and as clean below the other.
VISIBLE_AREA, CLEAN_AREA = 0.005, 0.0
# An occurrence is over when the picture has been whole for longer than the detector bridges.
BRIDGE_FRAMES = 10


@dataclass
class Clip:
    """A file, what was done to it, and its labels frame by frame."""

    path: Path
    recording: str
    facts: dict[str, Any]
    masks: list[np.ndarray]

    @property
    def areas(self) -> np.ndarray:
        """Damaged share of every frame."""
        return np.array([(mask == DAMAGED).mean() for mask in self.masks])

    @property
    def truth(self) -> list[Interval]:
        """Visible occurrences, those close together joined."""
        rows = np.flatnonzero(self.areas >= VISIBLE_AREA)
        out: list[list[int]] = []
        for row in rows.tolist():
            if out and row - out[-1][1] <= BRIDGE_FRAMES:
                out[-1][1] = row
            else:
                out.append([row, row])
        return [Interval(a / RATE_FPS, (b + 1) / RATE_FPS) for a, b in out]


@dataclass
class Judged:
    """A clip and what the detector measured in it."""

    clip: Clip
    measured: Measurements
    stream: StreamInfo


def recordings(roots: Sequence[Path], split: str) -> list[Any]:
    """Recordings of a split, with few of its stills."""
    file = Path(corpora.__file__).parent / "recipes" / f"{NAME}.toml"
    found = corpora.recordings(
        corpora.read_corpora(file, roots), STILL_SUFFIXES | VIDEO_SUFFIXES, seed=1
    )
    chosen = [r for r in found if r.split == split]
    # A panned still stands for many others; two of them are enough.
    stills = [r for r in chosen if r.path.suffix.lower() in STILL_SUFFIXES][:2]
    return [r for r in chosen if r.path.suffix.lower() in VIDEO_SUFFIXES] + stills


def make_clips(roots: Sequence[Path], work: Path, split: str, each: int) -> Iterator[Clip]:
    """Makes the clips once; a second run reads them."""
    settings = Settings()
    left_out = block_examples.LeftOut(
        settings.left_out_generator, settings.left_out_codec, settings.left_out_concealment
    )
    chosen = recordings(roots, split)
    # Every way of damaging in turn, so that none is missing from a small run.
    kinds = [(g, c, k) for g in block_examples.DAMAGES for c, k in
             (("libx264", "motion"), ("mpeg2video", "inter"), ("libx265", "motion"),
              ("libx264", "none"))]  # fmt: skip
    kinds += [(look, "", "") for look in block_examples.LOOKS for _ in range(2)]
    if split != "test":
        kinds = [k for k in kinds if not {left_out.generator, left_out.codec,
                                          left_out.concealment} & set(k)]  # fmt: skip
    total = each * len(chosen)
    for number in range(total):
        recording = chosen[number % len(chosen)]
        rng = np.random.default_rng([SEED, number])
        clean = number % 3 == 2
        kind = (
            (ALIKES[number // 3 % len(ALIKES)], "", "motion")
            if clean
            else kinds[(number - number // 3) % len(kinds)]
        )
        plan = block_examples.ClipPlan(
            recording, chosen[int(rng.integers(len(chosen)))], 1000 + number, kind[0], kind[1],
            kind[2] or "motion", FRAMES, 0, 256, SEED,
        )  # fmt: skip
        stem = f"{split}-{number:03d}"
        path, labels = work / f"{stem}.mp4", work / f"{stem}.npz"
        if not labels.exists():
            made = block_examples.make(plan)
            write(path, made.frames)
            facts = {**made.facts, "recording": recording.name}
            np.savez_compressed(labels, masks=np.stack(made.masks), facts=json.dumps(facts))
        stored = np.load(labels)
        yield Clip(path, recording.name, json.loads(str(stored["facts"])), list(stored["masks"]))


def write(path: Path, frames: Sequence[Any]) -> None:
    """Writes a clip, coded so well that coding changes nothing that matters."""
    height, width = frames[0][0].shape
    encoding = VideoEncoding(width, height, Fraction(RATE_FPS), crf=16.0, preset="veryfast")
    with Writer(path, video=encoding) as writer:
        for index, planes in enumerate(frames):
            packed = tuple(Plane(np.ascontiguousarray(p), p.shape[1], p.shape[0]) for p in planes)
            writer.write_frame(Frame(index, 1, packed, 8))


def judge(path: Path) -> tuple[Measurements, StreamInfo]:
    """Measures a file."""
    with open_media(path) as reader:
        return measure(reader, [load(NAME)])[NAME], reader.info


def sampled(judged: Judged) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of the frames the network looked at, their logits, and the logits before them."""
    table = judged.measured.tables["samples"]
    rows = np.rint(times_s(table) * RATE_FPS).astype(int)
    return rows, column(table, "logit") / 256, column(table, "previous_logit") / 256


def match(truth: Sequence[Interval], said: Sequence[Interval]) -> int:
    """One-to-one matches at IoU >= 0.5, best first."""
    pairs = sorted(
        ((t.iou(s), i, j) for i, t in enumerate(truth) for j, s in enumerate(said)), reverse=True
    )
    used: tuple[set[int], set[int]] = (set(), set())
    for iou, i, j in pairs:
        if iou >= MIN_IOU and i not in used[0] and j not in used[1]:
            used[0].add(i)
            used[1].add(j)
    return len(used[0])


def event_scores(judged: Sequence[Judged], **changes: Any) -> dict[str, float]:
    """Precision, recall and F1 of occurrences; false ones in clips without any damage."""
    detector = load(NAME)
    if changes:
        tuned = dataclasses.replace(
            detector.tuned, thresholds={**detector.tuned.thresholds, **changes}
        )
        detector = type(detector)(tuned=tuned)
    found = said_all = truth_all = false = 0
    errors: list[float] = []
    for each in judged:
        said = [f.interval for f in detector.decide(each.measured, each.stream).findings]
        truth = each.clip.truth
        found += match(truth, said)
        said_all, truth_all = said_all + len(said), truth_all + len(truth)
        if not (each.clip.areas > 0).any():
            false += len(said)
        errors += [
            abs(t.start_s - s.start_s) for t in truth for s in said if t.iou(s) >= MIN_IOU
        ] + [abs(t.end_s - s.end_s) for t in truth for s in said if t.iou(s) >= MIN_IOU]
    precision, recall = found / max(said_all, 1), found / max(truth_all, 1)
    return {
        "events": truth_all, "findings": said_all, "matched": found,
        "precision": round(precision, 4), "recall": round(recall, 4),
        "f1": round(2 * precision * recall / max(precision + recall, 1e-9), 4),
        "false_in_clean_clips": false,
        "median_end_error_s": round(float(np.median(errors)), 4) if errors else float("nan"),
    }  # fmt: skip


def frame_scores(judged: Sequence[Judged]) -> dict[str, Any]:
    """AUC over the frames that the network looked at, whole and by kind of damage."""
    scores, labels, kinds, blocks = [], [], [], []
    for each in judged:
        areas = each.clip.areas
        touched = np.array([(mask != CLEAN).mean() for mask in each.clip.masks])
        rows, logits, _ = sampled(each)
        ruler = blockiness(each.clip.path)
        for row, logit in zip(rows.tolist(), logits.tolist(), strict=True):
            hit = areas[row] >= VISIBLE_AREA
            if not hit and (areas[row] > CLEAN_AREA or touched[row] > 0.02):
                continue
            scores.append(logit)
            labels.append(bool(hit))
            kinds.append(each.clip.facts)
            blocks.append(ruler[row] if row < len(ruler) else 0.0)
    value, label = np.array(scores, float), np.array(labels)
    out: dict[str, Any] = {
        "frames": len(label), "damaged": int(label.sum()),
        "auc": round(auc(value, label), 4),
        "ffmpeg_blockdetect_auc": round(auc(np.array(blocks, float), label), 4),
    }  # fmt: skip
    for fact in ("generator", "codec", "concealment"):
        for name in sorted({k.get(fact) or "" for k in kinds} - {""} - set(ALIKES)):
            own = np.array([k.get(fact) == name for k in kinds]) & label
            if own.any():
                keep = own | ~label
                out[f"auc_{name}"] = round(auc(value[keep], label[keep]), 4)
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
    return values


def gate_recall(judged: Sequence[Judged]) -> dict[str, Any]:
    """Share of occurrences of which the network was shown a visibly damaged picture."""
    events_all = met = 0
    for each in judged:
        rows, _, _ = sampled(each)
        seen = np.zeros(FRAMES, bool)
        seen[rows] = True
        seen[np.maximum(rows - 1, 0)] = True
        shown = seen & (each.clip.areas >= VISIBLE_AREA)
        for span in each.clip.truth:
            events_all += 1
            a, b = round(span.start_s * RATE_FPS), round(span.end_s * RATE_FPS)
            met += bool(shown[a:b].any())
    return {"events": events_all, "shown": met, "recall": round(met / max(events_all, 1), 4)}


def map_iou(judged: Sequence[Judged], per_clip: int = 4) -> dict[str, Any]:
    """IoU of the map at its threshold with the truth, cell by cell, over damaged frames."""
    detector = load(NAME)
    cell = detector.tuned.thresholds["cell"]
    ious: list[float] = []
    both_all = any_all = 0
    for each in judged:
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
                    cells, _ = detector.runtime(now, earlier)
                    truth, sure = cell_truth(each.clip.masks[row], now.shape[:2], cells.shape[1:])
                    said = cells[0] >= cell
                    both = int((said & truth & sure).sum())
                    union = int(((said | truth) & sure).sum())
                    both_all, any_all = both_all + both, any_all + union
                    if truth.any():
                        ious.append(both / max(union, 1))
                before = frame if isinstance(frame, Frame) else before
    return {
        "frames": len(ious), "mean": round(float(np.mean(ious)), 4) if ious else None,
        "pooled": round(both_all / max(any_all, 1), 4),
    }  # fmt: skip


def cell_truth(mask: np.ndarray, size: tuple[int, ...], cells: tuple[int, ...]) -> Any:
    """Labels by block on the grid of the map, for a picture that may have been scaled down."""
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


def clean_minutes(folders: Sequence[Path], skip: Sequence[str]) -> dict[str, Any]:
    """False findings on whole recordings as they are."""
    out: dict[str, Any] = {"findings": []}
    seconds = 0.0
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES):
            if any(part in str(path) for part in skip):
                continue
            measured, stream = judge(path)
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


def real(path: Path, pictures: Path) -> dict[str, Any]:
    """What is found where the decoder itself reports damage; pictures go to the work folder."""
    from PIL import Image

    with open_media(path) as reader:
        base = reader.info.video.time_base
        frames = [i for i in reader.read(audio=False) if isinstance(i, Frame)]
        flagged = [float(f.pts * base) for f in frames if f.corrupt]
        measured, stream = judge(path)
        result = load(NAME).decide(measured, stream)
        step = max(1, len(flagged) // 6)
        for at in flagged[::step][:6]:
            frame = next(f for f in frames if float(f.pts * base) == at)
            Image.fromarray(to_rgb(frame.native)).save(pictures / f"{path.stem}-{at:.2f}.png")
    hit = sum(any(f.start_s <= t < f.end_s for f in result.findings) for t in flagged)
    return {
        "file": path.name, "frames": len(frames), "decoder_flagged": len(flagged),
        "flagged_inside_findings": hit,
        "findings": [{"start_s": f.start_s, "end_s": f.end_s, "confidence": f.confidence,
                      "corrupted_area": f.evidence["corrupted_area"]} for f in result.findings],
        "peak_score": result.peak_score,
    }  # fmt: skip


def speed() -> dict[str, Any]:
    """One 1080 x 1920 map: the released runtime and plain fp32 PyTorch, in turns."""
    detector = load(NAME)
    network = BlockNet(int(detector.tuned.artifact["network"]["width"])).eval()
    rng = np.random.default_rng(1)
    now = rng.integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    before = np.roll(now, 2, axis=1)
    runs: dict[str, Any] = {
        "plain_fp32": lambda: plain(network, now, before),
        "released": lambda: detector.runtime(now, before),
    }
    bf16 = Runtime(network, engine="torch")
    runs["torch_bf16"] = lambda: bf16(now, before)
    times: dict[str, list[float]] = {name: [] for name in runs}
    cpu: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(6):
        for name, run in runs.items():
            wall, used = time.perf_counter(), time.process_time()
            run()
            if turn:
                times[name].append((time.perf_counter() - wall) * 1e3)
                cpu[name].append((time.process_time() - used) * 1e3)
    out: dict[str, Any] = {"engine": detector.runtime.engine}
    out |= {f"{name}_ms": round(min(t), 1) for name, t in times.items()}
    out |= {f"{name}_cpu_ms": round(min(t), 1) for name, t in cpu.items()}
    out["ratio_wall"] = round(out["plain_fp32_ms"] / out["released_ms"], 2)
    out["ratio_cpu"] = round(out["plain_fp32_cpu_ms"] / out["released_cpu_ms"], 2)
    return out


def plain(network: BlockNet, now: np.ndarray, before: np.ndarray) -> Any:
    """The map as PyTorch computes it without any choice of runtime or precision."""
    with torch.inference_mode():
        pair = (torch.from_numpy(p)[None].permute(0, 3, 1, 2) for p in (now, before))
        return network(network_input(*pair))


def tune(judged: Sequence[Judged]) -> None:
    """Chooses the decision's thresholds: best F1, less a fiftieth for every false alarm."""
    best: tuple[tuple[float, ...], float, float] | None = None
    for enter in (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99):
        for leave in (0.3, 0.5, 0.7, 0.85):
            scores = event_scores(judged, decision=enter, decision_leave=enter * leave)
            print(enter, leave, scores)
            key = (scores["f1"] - 0.02 * scores["false_in_clean_clips"], enter)
            if best is None or key > best[0]:
                best = (key, enter, enter * leave)
    assert best is not None
    file = bundled("model_artifacts") / NAME / "detector.json"
    document = json.loads(file.read_text("utf-8"))
    document["thresholds"] |= {"decision": best[1], "decision_leave": round(best[2], 4)}
    file.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print("chosen", best)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, action="append", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--clean", type=Path, action="append", default=[])
    parser.add_argument("--real", type=Path, action="append", default=[])
    parser.add_argument("--clips", type=int, default=6, help="clips of each recording")
    parser.add_argument("--split", default="test", choices=("validation", "test"))
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--no-speed", action="store_true")
    options = parser.parse_args(argv)
    options.work.mkdir(parents=True, exist_ok=True)
    split = "validation" if options.tune else options.split
    judged = []
    for clip in make_clips(options.root, options.work, split, options.clips):
        judged.append(Judged(clip, *judge(clip.path)))
        print(clip.path.name, clip.facts["generator"], [
            (t.start_s, t.end_s) for t in clip.truth], flush=True)  # fmt: skip
    if options.tune:
        tune(judged)
        return 0
    result: dict[str, Any] = {
        "clips": len(judged),
        "recordings": sorted({j.clip.recording for j in judged}),
        "clip_minutes": round(len(judged) * FRAMES / RATE_FPS / 60, 2),
        "thresholds": dict(load(NAME).tuned.thresholds),
        "events": event_scores(judged),
        "frames": frame_scores(judged),
        "map_iou": map_iou(judged),
        "gate": gate_recall(judged),
    }
    if options.clean:
        trained = [r.path.name for s in ("train", "validation") for r in _all(options.root, s)]
        result["clean_unseen"] = clean_minutes(options.clean, [*trained, "real_defects"])
    result["real"] = [real(path, options.work) for path in options.real]
    if not options.no_speed:
        result["speed_1080x1920"] = speed()
    RESULT.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    print(json.dumps(result, indent=1))
    return 0


def _all(roots: Sequence[Path], split: str) -> list[Any]:
    file = Path(corpora.__file__).parent / "recipes" / f"{NAME}.toml"
    found = corpora.recordings(
        corpora.read_corpora(file, roots), STILL_SUFFIXES | VIDEO_SUFFIXES, seed=1
    )
    return [r for r in found if r.split == split]


if __name__ == "__main__":
    sys.exit(main())
