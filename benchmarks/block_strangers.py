"""Measures block corruption on recordings of other makers, by this decision and by the one before.

    python benchmarks/block_strangers.py --recordings FOLDER [--pattern 'p70m_*'] --work FOLDER
        [--clips 30] [--seed 7] [--other-codecs] [--out FILE]

Clips of four seconds are made as for training, of recordings that nothing was learned from; each is
measured once and decided twice, so that only the decision differs: `now` is what detector.json
says, `level alone` knows nothing of what begins or ends between the two frames of a look, as 0.4.1.
With `--other-codecs` streams of codecs are broken that training never breaks.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import block_scores
import numpy as np
from publishing import publish

from defectscope.detectors import load
from defectscope.detectors.block_corruption.params import SENSITIVITIES
from defectscope.engine.contracts import Tuned
from defectscope.findings import Interval
from defectscope.training.block_corruption import examples, programmes
from defectscope.training.block_corruption.hard_negatives import HARD_NEGATIVES
from defectscope.training.block_corruption.programmes import NAME, Clip, Evaluated, evaluate
from defectscope.training.contract import Recording
from defectscope.training.scores import poisson_upper, wilson

FRAMES = 100
# What a decision has instead that knows no steps.
LEVEL_ALONE = {
    "least_step": -1.0,
    "step_weight": 0.0,
    "brief": 3.5,
    "leap": 3.5,
    "normal_sensitivity": 0.0,
}
# Events that nobody overlooks.
LARGE = 0.07
_WAYS: list[tuple[str, str, Any]] = [
    *((g, c, k) for g in examples.DAMAGES for c, k in
      (("libx264", "motion"), ("mpeg2video", "inter"), ("libx265", "none"))),
    *((look, "", "motion") for look in examples.LOOKS),
]  # fmt: skip
_OTHER_WAYS: list[tuple[str, str, Any]] = [
    (harm, codec, "motion")
    for codec in ("libvpx-vp9", "libsvtav1", "mpeg4", "libvpx", "mjpeg", "mpeg1video")
    for harm in ("byte_noise", "packet_loss")
]


def clips(
    paths: Sequence[Path],
    work: Path,
    count: int,
    seed: int,
    ways: Sequence[tuple[str, str, Any]] = _WAYS,
) -> Iterator[Clip]:
    """Makes the clips once; a second run reads them. One of three is clean."""
    shown = [Recording(p, "strangers", p.name, p.stem, "test") for p in paths]
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        kind = ways[(number - number // 3) % len(ways)]
        if number % 3 == 2:
            kind = (HARD_NEGATIVES[number // 3 % len(HARD_NEGATIVES)], "", "motion")
        recording = shown[(7 * number + seed) % len(shown)]
        plan = examples.ClipPlan(
            recording, shown[int(rng.integers(len(shown)))], number, *kind, FRAMES, 0, 256, seed
        )
        path = work / f"strangers-{seed}-{number:03d}.mp4"
        labels = path.with_suffix(".npz")
        if not labels.exists():
            made = examples.make(plan)
            programmes.write(path, made.frames)
            facts = {**made.facts, "recording": recording.name}
            np.savez_compressed(labels, masks=np.stack(made.masks), facts=json.dumps(facts))
        with np.load(labels) as stored:
            facts, masks = json.loads(str(stored["facts"])), list(stored["masks"])
        yield Clip(path, recording.name, facts, masks)


def in_use() -> Any:
    """Returns the detector."""
    return load(NAME)


def changed(thresholds: Mapping[str, float]) -> Tuned:
    """Returns the released tuning with other thresholds."""
    tuned = in_use().tuned
    return dataclasses.replace(tuned, thresholds={**tuned.thresholds, **thresholds})


def row(title: str, evaluated: Sequence[Evaluated], tuned: Tuned, decision: str = "learned") -> str:
    """Returns a row of the table."""
    parameters = {"decision": decision}
    detector: Any = load(NAME, parameters)
    detector = type(detector)(tuned=tuned, params=detector.params)
    scores = block_scores.event_scores(evaluated, tuned, parameters)
    large, met, false, minutes = 0, 0, 0, 0.0
    for each in evaluated:
        said = [f.interval for f in detector.decide(each.measured, each.stream).findings]
        if not (each.clip.areas > 0).any():
            false, minutes = false + len(said), minutes + each.stream.duration_s / 60
        own, own_met = large_events(each, said)
        large, met = large + own, met + own_met
    low, high = wilson(met, large) if large else (0.0, 1.0)
    most = poisson_upper(false) / max(minutes, 1e-9) * 10
    return (
        f"| {title} | {scores['f1']:.2f} ({scores['matched']} of {scores['events']}, "
        f"{scores['findings']} findings) | {met} of {large} ({low:.2f} to {high:.2f}) "
        f"| {false} in {minutes:.1f} min (95 % bound {most:.0f} in 10 min) |"
    )


def large_events(each: Evaluated, said: Sequence[Interval]) -> tuple[int, int]:
    """Returns how many events of a clip are large, and how many of these any finding meets."""
    large = met = 0
    for span in each.clip.truth:
        a, b = (round(at * programmes.RATE_FPS) for at in (span.start_s, span.end_s))
        if each.clip.areas[a:b].max() >= LARGE:
            large += 1
            met += any(min(span.end_s, s.end_s) > max(span.start_s, s.start_s) for s in said)
    return large, met


def frame_auc(evaluated: Sequence[Evaluated]) -> str:
    """Returns the AUC of frames that were looked at: the network, the evidence, the peer."""
    detector: Any = load(NAME)
    logits, weighed, decided, blocks, labels = [], [], [], [], []
    for each in evaluated:
        rows, values, _ = each.sampled()
        known, odds = detector.log_odds(each.measured)
        _, after = detector.posterior_odds(each.measured)
        touched = np.array([(m != block_scores.CLEAN).mean() for m in each.clip.masks])
        hit = each.clip.areas[rows] >= programmes.VISIBLE_AREA
        sure = hit | ((each.clip.areas[rows] == 0) & (touched[rows] <= programmes.TOUCHED_SHARE))
        logits += values[sure].tolist()
        weighed += odds[np.searchsorted(known.rows, rows)][sure].tolist()
        decided += after[np.searchsorted(known.rows, rows)][sure].tolist()
        blocks += np.array(block_scores.blockiness(each.clip.path))[rows][sure].tolist()
        labels += hit[sure].tolist()
    label = np.array(labels)
    found = [block_scores.auc(np.array(v), label) for v in (logits, weighed, decided, blocks)]
    return (
        "frame AUC of the network {:.3f}, of the evidence {:.3f}, steps known {:.3f}, "
        "of ffmpeg's blockdetect {:.3f}"
    ).format(*found) + f", {len(label)} frames, {int(label.sum())} damaged"


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--pattern", default="*.mp4")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=30)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, help="write the table here as well")
    parser.add_argument("--other-codecs", action="store_true")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    evaluated: list[Evaluated] = []
    paths = sorted(given.recordings.glob(given.pattern))
    ways = _OTHER_WAYS if given.other_codecs else _WAYS
    for clip in clips(paths, given.work, given.clips, given.seed, ways):
        evaluated.append(Evaluated(clip, *evaluate(clip.path, given.work)))
        print(clip.path.name, clip.facts["generator"], clip.facts.get("codec"), flush=True)
    lines = [
        f"| decision, {len(evaluated)} clips | F1 of events | met, of those over 7 % "
        "| false findings in clean clips |",
        "|---|---|---|---|",
        row("over 7 % of the map (`decision=area`)", evaluated, changed({}), "area"),
        row("level alone", evaluated, changed(LEVEL_ALONE)),
        *(
            row(f"now, `sensitivity={name}`", evaluated, changed({"normal_sensitivity": at}))
            for name in SENSITIVITIES
            for at in [in_use().tuned.thresholds[f"{name}_sensitivity"]]
        ),
        "",
        frame_auc(evaluated),
        "map IoU, four damaged frames a clip: mean {mean}, pooled {pooled}, {frames} frames".format(
            **block_scores.map_iou(evaluated)
        ),
    ]
    publish("\n".join(lines) + "\n", given.out)


if __name__ == "__main__":
    main()
