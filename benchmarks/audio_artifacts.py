"""Measures audio_artifacts: one verb per table of docs/results/audio_artifacts.md.

    simulated  the five-class task on held-out recordings, and clean recordings never seen
    left-out   families that a run never trained on
    files      the shipped detector on whole clean files, end to end
    real       real crackle, and clean recordings beside it
    speed      one second of sound, and what each part of it costs
    starts     from scratch against two pretrained starts, small runs

Every verb prints Markdown, and JSON with --json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from defectscope.analysis import analyze
from defectscope.detectors.audio_artifacts import spectra
from defectscope.detectors.audio_artifacts.detector import AudioArtifacts
from defectscope.detectors.audio_artifacts.grid import Resampler
from defectscope.detectors.audio_artifacts.inference import Scorer
from defectscope.detectors.audio_artifacts.layout import BATCH, CLASSES, NEAR
from defectscope.detectors.audio_artifacts.network import Network
from defectscope.detectors.registry import load
from defectscope.detectors.weights import load_weights
from defectscope.engine.artifacts import bundled
from defectscope.training import cli, corpora
from defectscope.training.audio_artifacts import decision
from defectscope.training.audio_artifacts import pretrained as sound_starts
from defectscope.training.audio_artifacts import release as release
from defectscope.training.audio_artifacts import task as task
from defectscope.training.audio_artifacts.measured import of_cache
from defectscope.training.audio_artifacts.windows import (
    holding,
    score_windows,
    without,
)
from defectscope.training.contract import recipe
from defectscope.training.loop import best_model
from defectscope.training.scores import (
    Platt,
    fit_platt,
    poisson_upper,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=sorted(_VERBS))
    parser.add_argument("--work", type=Path, help="folder of `defectscope-train prepare`")
    parser.add_argument("--root", type=Path, action="append", default=[])
    parser.add_argument("--set", action="append", default=[], help="as the cache was prepared with")
    parser.add_argument("--run", default="run", help="run inside --work (left-out)")
    parser.add_argument("--left-out", default="", help="families as hum:buzz,... (left-out)")
    parser.add_argument("--steps", type=int, default=600, help="of each small run (starts)")
    parser.add_argument("--embedding", type=Path, help="openwakeword's wheel (starts)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    text, data = _VERBS[options.verb](options)
    print(text)
    if options.json is not None:
        options.json.write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    return 0


def _cache(options: argparse.Namespace) -> tuple[Any, Any]:
    words = ["prepare", "audio_artifacts", "--work", str(options.work)]
    words += [w for root in options.root for w in ("--root", str(root))]
    words += [w for pair in options.set for w in ("--set", pair)]
    _, cache, sources = cli.open_work(cli.build_parser().parse_args(words))
    return cache, sources


def _released() -> tuple[AudioArtifacts, Network]:
    detector = load("audio_artifacts")
    assert isinstance(detector, AudioArtifacts)
    widths = detector.tuned.artifact["network"]["widths"]
    folder = bundled("model_artifacts") / "audio_artifacts"
    network = load_weights(Network(tuple(widths)), folder, detector.tuned.artifact)
    assert isinstance(network, Network)
    return detector, network


def simulated(options: argparse.Namespace) -> tuple[str, Any]:
    """The five-class task and whole clean recordings, out of the cache."""
    cache, _ = _cache(options)
    detector, network = _released()
    fits = {
        k: Platt(v["slope"], v["offset"]) for k, v in detector.tuned.artifact["windows"].items()
    }
    calls = detector.tuned.artifact["calls"]
    metrics = task.measure(score_windows(network, cache, "test"), fits, calls)
    drawn = score_windows(network, cache, "test", drawn=True)
    metrics["as_drawn"] = task.measure(drawn, fits, calls)
    pieces = of_cache(cast("Scorer", detector.scorer), cache, "test")
    rules = decision.rules_of(detector.tuned.artifact)
    metrics["clean_programmes"] = release.false_alarms([p for p in pieces if not p.defect], rules)
    metrics["occurrences"] = release.recall([p for p in pieces if p.defect], rules)
    parts = [
        release.how_well(metrics),
        "Wherever a defect was put, heard or not:",
        task.tables(metrics["as_drawn"]),
    ]
    return "\n\n".join(parts), metrics


def left_out(options: argparse.Namespace) -> tuple[str, Any]:
    """The five-class task with families that a run never trained on."""
    cache, _ = _cache(options)
    unseen = set(options.left_out.split(","))
    network = best_model(
        recipe("audio_artifacts", {"left_out": options.left_out}), options.work / options.run
    )
    # What was never trained on must not help to choose anything either.
    validation = without(
        score_windows(network, cache, "validation", starts=(0, 10, 20, 30, 40)), unseen
    )
    fits: dict[str, Platt] = {}
    for place, name in enumerate(CLASSES):
        known = validation.weight[:, place] > 0
        fits[name] = fit_platt(
            validation.logits[known, place], validation.target[known, place] > 0.5
        )
    calls = task.choose_calls(validation, fits)
    test = score_windows(network, cache, "test")
    never = holding(test, unseen)
    clean = test.target.max(axis=1) == 0
    out: dict[str, Any] = {"left_out": sorted(unseen)}
    for label, member in (("never trained on", never), ("trained on", ~never)):
        out[label] = task.measure(test, fits, calls, clean | member)
    lines = [
        f"Left out: {', '.join(sorted(unseen))}",
        "",
        f"| families | balanced accuracy | from level 3 | {' | '.join(task.NAMES)} |",
        "|---|---|---|" + "---|" * len(task.NAMES),
    ]
    for label in ("never trained on", "trained on"):
        entry = out[label]
        cells = " | ".join(f"{r['value']:.3f} ({r['n']})" for r in entry["recall"].values())
        lines.append(
            f"| {label} | {entry['balanced_accuracy']:.4f} "
            f"| {entry['balanced_accuracy_from_level_3']:.4f} | {cells} |"
        )
    return "\n".join(lines), out


def files(options: argparse.Namespace) -> tuple[str, Any]:
    """Whole clean files of the test split through the shipped detector, as a user would."""
    _, sources = _cache(options)
    held_out = [
        r
        for r in corpora.recordings(sources, recipe("audio_artifacts").suffixes, seed=1)
        if r.split == "test" and "vinyl_hiss" not in r.key
    ]
    out: dict[str, Any] = {}
    found: list[str] = []
    for recording in held_out:
        report = analyze(str(recording.path), detectors=["audio_artifacts"])
        entry = out.setdefault(
            recording.corpus, {"files": 0, "seconds": 0.0, **dict.fromkeys(CLASSES, 0)}
        )
        entry["files"] += 1
        entry["seconds"] += report.asset["duration_s"]
        for finding in report.findings:
            entry[finding.defect] += 1
            found.append(
                f"{recording.name}: {finding.defect} {finding.start_s:.2f} to "
                f"{finding.end_s:.2f} s, {finding.confidence:.3f}"
            )
    total = {"files": 0, "seconds": 0.0, **dict.fromkeys(CLASSES, 0)}
    for entry in out.values():
        for key in total:
            total[key] += entry[key]
    out["all"] = total
    lines = [
        "| corpus | files | minutes | hum | hiss | distortion | clicks | in 10 min | upper 95 % |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, entry in out.items():
        count = sum(entry[k] for k in CLASSES)
        tens = entry["seconds"] / 600
        entry["per_10_min"], entry["upper"] = (
            round(count / tens, 3),
            round(poisson_upper(count) / tens, 3),
        )
        cells = " | ".join(str(entry[k]) for k in CLASSES)
        lines.append(
            f"| {name} | {entry['files']} | {entry['seconds'] / 60:.1f} | {cells} "
            f"| {entry['per_10_min']:.2f} | {entry['upper']:.2f} |"
        )
    return "\n".join([*lines, "", *found]), {"corpora": out, "findings": found}


def real(options: argparse.Namespace) -> tuple[str, Any]:
    """The real crackle of vinyl_hiss, which was never trained on."""
    (path,) = [p for root in options.root for p in root.rglob("vinyl_hiss.flac")][:1]
    detector, _ = _released()
    report = analyze(str(path), detectors=["audio_artifacts"], measurements=True)
    table = report.measurements[0].tables["windows"]
    rows = {}
    for name in CLASSES:
        fit = detector.tuned.artifact["windows"][name]
        logits = np.asarray(table.columns[f"logit_{name}"]) / 100
        probability = Platt(fit["slope"], fit["offset"])(logits.astype(float))
        rows[name] = {
            "mean": round(float(probability.mean()), 4),
            "peak": round(float(probability.max()), 4),
            "windows_over_half": int((probability > 0.5).sum()),
        }
    lines = [
        f"{path.name}: {report.asset['duration_s']:.2f} s, {len(table)} windows",
        "",
        "| defect | mean probability | peak | windows over 0.5 |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {n} | {r['mean']:.3f} | {r['peak']:.3f} | {r['windows_over_half']} |"
        for n, r in rows.items()
    ]
    findings = [
        f"{f.defect} {f.start_s:.2f} to {f.end_s:.2f} s, "
        f"confidence {f.confidence:.3f}, {f.severity}"
        for f in report.findings
    ]
    return "\n".join([*lines, "", "Findings:", "", *[f"- {f}" for f in findings or ["none"]]]), {
        "windows": rows,
        "findings": findings,
    }


def speed(options: argparse.Namespace) -> tuple[str, Any]:
    """Wall and processor time of a second of 48 kHz stereo, and of its parts."""
    detector, network = _released()
    rng = np.random.default_rng(0)
    from defectscope.engine.contracts import Chunk
    from defectscope.media.frames import Samples
    from defectscope.media.stream import AudioInfo, StreamInfo

    seconds = 40
    sound = (rng.standard_normal((48000 * seconds, 2)) * 0.05).astype(np.float32)
    stream = StreamInfo("x", "wav", seconds, None, AudioInfo(48000, ("FL", "FR"), "stereo", "pcm"))

    def whole() -> None:
        analysis = detector.open(stream)
        for start in range(0, len(sound), 48000):
            analysis.push(Chunk(audio=(Samples(start, sound[start : start + 48000]),)))
        analysis.close()

    padded = sound[: spectra.MARGIN_BEFORE + 2 * spectra.BLOCK + spectra.MARGIN_AFTER, 0].copy()
    window = spectra.measure(padded, 2).window(0.0)
    block = padded[: spectra.MARGIN_BEFORE + spectra.BLOCK + spectra.MARGIN_AFTER]
    mono = sound[: 48000 * 4, 0].copy()
    plain, brain = Scorer(network, "cpu", bf16=False), Scorer(network, "cpu", bf16=True)
    near = [[h] * NEAR for h in plain.embed_windows([window] * BATCH)]
    parts = {
        "whole analysis, one second": (whole, seconds),
        "resampling 48 to 32 kHz, one second": (lambda: list(Resampler(48000).push(0, mono)), 4),
        "spectrograms, one second": (lambda: spectra.measure(block), 0.5),
        "windows fp32, one second": (lambda: plain.embed_windows([window] * BATCH), BATCH / 2),
        "windows bf16, one second": (lambda: brain.embed_windows([window] * BATCH), BATCH / 2),
        "surroundings, one second": (lambda: plain.classify(near), BATCH / 2),
    }
    out = {name: _best(work, share) for name, (work, share) in parts.items()}
    both = [
        [[h] * NEAR for h in scorer.embed_windows([window] * BATCH)] for scorer in (plain, brain)
    ]
    difference = float(np.abs(plain.classify(both[0]) - plain.classify(both[1])).max())
    lines = [
        f"PyTorch {torch.__version__}, {options.threads} thread(s), "
        f"{torch.backends.cpu.get_cpu_capability()}",
        "",
        "| part | wall ms | processor ms |",
        "|---|---|---|",
    ]
    lines += [f"| {n} | {w:.2f} | {c:.2f} |" for n, (w, c) in out.items()]
    lines += ["", f"bf16 differs from fp32 by at most {difference:.4f} in a logit here."]
    return "\n".join(lines), {"ms": out, "bf16_difference": difference}


def _best(work: Any, share: float, rounds: int = 9) -> tuple[float, float]:
    work()
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls) / share * 1e3, min(cpus) / share * 1e3


def starts(options: argparse.Namespace) -> tuple[str, Any]:
    """Small runs from scratch and from two pretrained starts."""
    cache, sources = _cache(options)
    rows = sound_starts.compare(cache, sources, options.work, options.steps, options.embedding)
    lines = ["| start | steps | balanced accuracy, test | mean AUC, test |", "|---|---|---|---|"]
    lines += [
        f"| {n} | {r['steps']} | {r['balanced_accuracy']:.4f} | {r['objective']:.4f} |"
        for n, r in rows.items()
    ]
    return "\n".join(lines), rows


_VERBS = {
    "simulated": simulated,
    "left-out": left_out,
    "files": files,
    "real": real,
    "speed": speed,
    "starts": starts,
}

if __name__ == "__main__":
    sys.exit(main())
