"""Counts what audio_artifacts reports in clean sound of sources that nothing was made from.

    collect  measures recordings of audio_clean.toml, a part of each, into --work; a run that was
             killed goes on; with --fresh those that no file of clean steps holds
    keep     writes what --work holds into --steps, audio_steps_clean.npz by default
    count    decides on --steps and lists every false finding, by source and by half

The half of a recording is a checksum of its name. A decision may be chosen on half a; then only
half b may be reported.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import audio_steps
import numpy as np
import torch
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.decision import SENSITIVITIES
from defectscope.detectors.audio_artifacts.detector import AudioArtifacts
from defectscope.detectors.audio_artifacts.inference import Scorer
from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.detectors.audio_artifacts.spectra import RATE_HZ
from defectscope.detectors.registry import load
from defectscope.errors import DefectscopeError
from defectscope.media.frames import Samples
from defectscope.media.opening import open_media
from defectscope.training import corpora
from defectscope.training.audio_artifacts import decision
from defectscope.training.audio_artifacts.coding import resample
from defectscope.training.audio_artifacts.measured import Piece, measured
from defectscope.training.contract import Recording, recipe
from defectscope.training.scores import poisson_upper

HERE = Path(__file__).parent
STEPS = HERE / "audio_steps_clean.npz"
COUNTED = (STEPS, HERE / "audio_steps_fresh.npz", HERE / "audio_steps_later.npz")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("collect", "keep", "count"))
    parser.add_argument("--root", type=Path, action="append", default=[])
    parser.add_argument("--work", type=Path, action="append", default=[], help="what was measured")
    parser.add_argument("--corpora", type=Path, default=HERE / "audio_clean.toml")
    parser.add_argument("--longest", type=float, default=90.0, help="seconds of a recording")
    parser.add_argument("--most", type=int, default=60, help="recordings of a source")
    parser.add_argument("--minutes", type=float, help="of a source at most")
    parser.add_argument("--fresh", action="store_true", help="what was never counted on")
    parser.add_argument("--steps", type=Path, default=STEPS)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    if options.verb == "collect":
        _collect(options)
    elif options.verb == "keep":
        by_name = {p.name: p for file in options.work for p in _stored(file)}
        pieces = sorted(by_name.values(), key=lambda p: p.name)
        audio_steps.save(options.steps, pieces)
    else:
        print(count(audio_steps.read(options.steps)))
    return 0


def half(piece: Piece) -> str:
    """Returns which half a recording belongs to: b may be reported whatever is chosen on a."""
    return "ab"[zlib.crc32(piece.name.encode()) % 2]


def count(pieces: Sequence[Piece]) -> str:
    """Returns the false findings: by sensitivity, by half, by source and one by one."""
    detector = cast("AudioArtifacts", load("audio_artifacts"))
    rules = decision.rules_of(detector.tuned.artifact)
    said = [(p, decision.found(p, rules)) for p in pieces]
    lines = [
        "| sensitivity | half | recordings | minutes | hum | hiss | distortion | clicks "
        "| in 10 min | 95 % bound |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for sensitivity in SENSITIVITIES:
        for name in ("a", "b", "ab"):
            own = [(p, w) for p, w in said if half(p) in name]
            minutes = sum(p.seconds for p, _ in own) / 60
            counts = [
                sum(
                    e >= detector.tuned.thresholds[f"{d}_{sensitivity}"]
                    for _, w in own
                    for e, _ in w[d]
                )
                for d in CLASSES
            ]
            rate, upper = (n / minutes * 10 for n in (sum(counts), poisson_upper(sum(counts))))
            cells = " | ".join(map(str, counts))
            lines.append(
                f"| {sensitivity} | {name} | {len(own)} | {minutes:.1f} | {cells} "
                f"| {rate:.2f} | {upper:.2f} |"
            )
    lengths: Counter[str] = Counter()
    hits: dict[str, list[str]] = defaultdict(list)
    for piece, what in said:
        lengths[piece.corpus] += round(piece.seconds)
        for d in CLASSES:
            asked = detector.tuned.thresholds[f"{d}_normal"]
            hits[piece.corpus] += [
                f"- {piece.name} ({half(piece)}): {d} {i.start_s:.1f} to {i.end_s:.1f} s, {e:.1f}"
                for e, i in what[d]
                if e >= asked
            ]
    lines += ["", "| source | minutes | findings at normal |", "|---|---|---|"]
    lines += [f"| {k} | {v / 60:.1f} | {len(hits[k])} |" for k, v in sorted(lengths.items())]
    return "\n".join([*lines, "", *(line for k in sorted(hits) for line in hits[k])])


def _collect(options: argparse.Namespace) -> None:
    """Measures recordings in an order of no meaning, so that a part of them stands for all."""
    (work,) = options.work
    by_source: dict[str, list[Recording]] = defaultdict(list)
    found = corpora.recordings(
        corpora.read_corpora(options.corpora, options.root), recipe("audio_artifacts").suffixes
    )
    counted = COUNTED if options.fresh else ()
    known = {p.name for file in counted for p in audio_steps.read(file)}
    for recording in sorted(found, key=lambda r: zlib.crc32(r.key.encode())):
        if recording.name not in known:
            by_source[recording.corpus].append(recording)
    chosen = [r for own in by_source.values() for r in own[: options.most]]
    done = {name for name, _ in audio_steps.entries(work)}
    lasts_s: Counter[str] = Counter()
    for piece in _stored(work):
        lasts_s[piece.corpus] += piece.seconds
    scorer = cast("Scorer", cast("AudioArtifacts", load("audio_artifacts")).scorer)
    with work.open("ab") as out:
        for recording in sorted(chosen, key=lambda r: zlib.crc32(r.name.encode())):
            if recording.name in done:
                continue
            if options.minutes and lasts_s[recording.corpus] > options.minutes * 60:
                continue
            piece = None
            try:
                sound = part(recording, options.longest)
                piece = measured(scorer, sound, name=recording.name, corpus=recording.corpus)
            except (DefectscopeError, UnicodeError) as error:
                print(f"{recording.name}: {error}", file=sys.stderr)
            pickle.dump((recording.name, piece), out)
            out.flush()
            lasts_s[recording.corpus] += piece.seconds if piece is not None else 0.0


def part(recording: Recording, longest_s: float) -> NDArray[np.int16]:
    """Returns the first part of a recording as 16-bit mono, some seconds at its start left out."""
    parts: list[NDArray[np.float32]] = []
    skip_s = zlib.crc32(recording.name.encode()) % 20
    with open_media(str(recording.path)) as reader:
        own_hz = reader.info.audio.rate_hz if reader.info.audio else RATE_HZ
        for item in reader.read(video=False):
            if isinstance(item, Samples):
                parts.append(item.data.mean(axis=1))
                if sum(map(len, parts)) > (longest_s + skip_s) * own_hz:
                    break
    sound = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    if len(sound) > longest_s * own_hz:
        sound = sound[-round(longest_s * own_hz) :]
    out = resample(sound, own_hz, RATE_HZ)
    # Decoders overshoot full scale; clipping that would plant a defect into clean sound.
    peak = float(np.max(np.abs(out))) if len(out) else 0.0
    return np.round(out * (32767 / max(peak, 1.0))).astype(np.int16)


def _stored(work: Path) -> Iterator[Piece]:
    yield from (piece for _, piece in audio_steps.entries(work) if piece is not None)


if __name__ == "__main__":
    sys.exit(main())
