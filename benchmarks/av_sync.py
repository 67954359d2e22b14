"""Measures lip sync on talking clips: every design, every shift, leaving one speaker out.

python benchmarks/av_sync.py --clips TALKING [--folds FOLDER] [--cache FOLDER] [--json OUT]
python benchmarks/av_sync.py --clips TALKING --release model_artifacts/av_sync

Sound is moved inside the clip and both are cut to what is left of them, so that nothing but lips
and sound tells. What is true of each clip stands in tests/expected_findings/talking.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save
from safetensors.torch import load_file
from scipy.optimize import minimize

from defectscope.detectors.av_sync import baseline
from defectscope.detectors.av_sync.canonical import Canonical, fit
from defectscope.detectors.av_sync.clips import SOUND_HZ, Clip, read_clip
from defectscope.detectors.av_sync.crops import RATE_FPS, Mouth
from defectscope.detectors.av_sync.decision import (
    Judgement,
    Rules,
    Window,
    judge,
    likeness,
    speaking,
    windows,
)
from defectscope.detectors.av_sync.fragments import (
    FRAGMENT_FRAMES,
    MARGIN_FRAMES,
    MIN_FRAMES,
    Cell,
    judge_fragment,
    stretch,
)
from defectscope.detectors.av_sync.network import SyncNet
from defectscope.detectors.av_sync.offsets import MS_PER_FRAME, OFFSETS, Likeness, cells, peak
from defectscope.detectors.av_sync.sound import log_mel
from defectscope.detectors.av_sync.tracks import Limits

ROOT = Path(__file__).resolve().parent.parent
TRUTH = ROOT / "tests" / "expected_findings" / "talking.json"
SHIFTS_MS = (0, 120, -120, 240, -240, 320, -320, 480, -480)
LIMITS = Limits(min_score=0.5, min_height_px=48, most=3)
# What must be left of a clip after the shift.
MIN_OVERLAP_S = 2.4
WINDOW_S = 8.0
LENGTHS_FRAMES = (5, 7, 9, 11, 13, 15, 100)
DESIGNS = ("baseline", "canonical", "network", "hybrid")
CONCLUSIVE = 0.9
# How much the network's curve counts in the hybrid; tuned on speakers outside GRID.
HYBRID_SHARE = 0.8
# A best offset this close to the truth is right where nothing may be left open.
FORCED_MS = 60.0
PLAIN = Rules(1.0, 0.0, 0.0, 0.0, 60.0, 80.0, 3, 40)


@dataclass(frozen=True)
class Talk:
    """A clip with its truth."""

    name: str
    clip: Clip
    native_frames: int
    in_step: bool
    training: bool

    @property
    def frames(self) -> int:
        """Length of the picture on the grid."""
        return max((m.first_frame + len(m) for m in self.clip.mouths), default=0)


def read(folder: Path, kept: Path | None) -> list[Talk]:
    """Reads the clips that pass as truth, from the cache where they are there."""
    out: list[Talk] = []
    for name, facts in json.loads(TRUTH.read_text())["clips"].items():
        if facts["native_offset_frames"] is None:
            continue
        path = next(p for p in sorted(folder.iterdir()) if p.stem == name)
        store = None if kept is None else kept / f"{name}.npz"
        if store is not None and store.is_file():
            clip = _load(store)
        else:
            clip = read_clip(str(path), LIMITS)
            if store is not None:
                store.parent.mkdir(parents=True, exist_ok=True)
                _store(store, clip)
        out.append(
            Talk(
                name,
                clip,
                int(facts["native_offset_frames"]),
                bool(facts["in_step"]),
                not facts["evaluation_only"],
            )
        )
    return out


def _store(path: Path, clip: Clip) -> None:
    arrays: dict[str, Any] = {"sound": clip.sound}
    for i, m in enumerate(clip.mouths):
        arrays |= {f"crops{i}": m.crops, f"shapes{i}": m.shapes, f"boxes{i}": m.boxes}
        arrays[f"first{i}"] = np.array(m.first_frame)
    np.savez_compressed(path, **arrays)


def _load(path: Path) -> Clip:
    with np.load(path) as data:
        count = sum(k.startswith("crops") for k in data)
        mouths = tuple(
            Mouth(int(data[f"first{i}"]), data[f"crops{i}"], data[f"shapes{i}"], data[f"boxes{i}"])
            for i in range(count)
        )
        return Clip(mouths, data["sound"])


def pairs(talk: Talk) -> list[tuple[Mouth, Any, int]]:
    """What the linear model learns from: mouths and the sound in step with them."""
    out: list[tuple[Mouth, Any, int]] = []
    for mouth in talk.clip.mouths:
        if len(mouth) >= MIN_FRAMES:
            number = mouth.first_frame // FRAGMENT_FRAMES
            origin = number * FRAGMENT_FRAMES - MARGIN_FRAMES
            first = mouth.first_frame - origin + talk.native_frames
            out.append((mouth, stretch(number, talk.clip.sound), first))
    return out


def shifted(talk: Talk, shift_ms: float) -> tuple[Clip, tuple[float, float]]:
    """Gives a clip with its sound moved, and from when to when there is both."""
    sound, count = talk.clip.sound, round(abs(shift_ms) / 1000 * SOUND_HZ)
    low_s = max(0.0, shift_ms / 1000)
    length_s = len(sound) / SOUND_HZ + min(0.0, shift_ms / 1000)
    high_s = min(length_s, talk.frames / RATE_FPS)
    late = shift_ms >= 0
    moved = np.concatenate([np.zeros(count, np.float32), sound]) if late else sound[count:]
    moved = moved[: int(high_s * SOUND_HZ)].copy()
    moved[: int(low_s * SOUND_HZ)] = 0
    first, last = int(np.ceil(low_s * RATE_FPS - 1e-6)), int(high_s * RATE_FPS + 1e-6)
    return Clip(_within(talk.clip.mouths, first, last), moved), (low_s, high_s)


def dubbed(talk: Talk, other: Talk) -> tuple[Clip, tuple[float, float]] | None:
    """Gives a clip with somebody else's sound, None where that is too short."""
    high_s = min(talk.frames / RATE_FPS, len(other.clip.sound) / SOUND_HZ)
    if high_s < MIN_OVERLAP_S:
        return None
    mouths = _within(talk.clip.mouths, 0, int(high_s * RATE_FPS))
    return Clip(mouths, other.clip.sound[: int(high_s * SOUND_HZ)]), (0.0, high_s)


def _within(mouths: Iterable[Mouth], first: int, last: int) -> tuple[Mouth, ...]:
    cut = (
        m.between(max(0, first - m.first_frame), min(len(m), last - m.first_frame))
        for m in mouths
        if m.first_frame < last and m.first_frame + len(m) > first
    )
    return tuple(m for m in cut if len(m))


def measured(
    clip: Clip, heard_s: tuple[float, float], model: Canonical, network: SyncNet | None
) -> list[Cell]:
    """Measures a clip as the detector does."""
    numbers = sorted({m.first_frame // FRAGMENT_FRAMES for m in clip.mouths})
    out: list[Cell] = []
    for number in numbers:
        own = [m for m in clip.mouths if m.first_frame // FRAGMENT_FRAMES == number]
        out += judge_fragment(number, own, stretch(number, clip.sound), heard_s, [], model, network)
    return out


def measured_by_baseline(clip: Clip, heard_s: tuple[float, float]) -> list[Cell]:
    """Measures a clip by the open mouth and the level of speech."""
    out: list[Cell] = []
    for track, mouth in enumerate(m for m in clip.mouths if len(m) >= MIN_FRAMES):
        number = mouth.first_frame // FRAGMENT_FRAMES
        origin = number * FRAGMENT_FRAMES - MARGIN_FRAMES
        shot = (
            int(np.ceil(heard_s[0] * RATE_FPS - 1e-6)) - origin,
            int(heard_s[1] * RATE_FPS + 1e-6) - origin,
        )
        found = cells(
            baseline.opening(mouth),
            baseline.envelope(stretch(number, clip.sound)),
            np.ones(1),
            first=mouth.first_frame - origin,
            frame=mouth.first_frame,
            shot=shot,
        )
        ends = [start for start, _ in found[1:]] + [len(mouth)]
        for (start, alike), end in zip(found, ends, strict=True):
            frame = mouth.first_frame + start
            out.append(Cell(frame, track, end - start, mouth.boxes[start], alike))
    return sorted(out, key=lambda c: (c.frame, c.track))


def only_network(found: Sequence[Cell]) -> list[Cell]:
    """Gives cells in which the network alone counts."""
    empty = Likeness(np.zeros(len(OFFSETS)), np.zeros(len(OFFSETS)))
    return [replace(c, canonical=c.network or empty, network=None) for c in found]


Measured = dict[tuple[str, str, float | str], list[Cell]]


def measure_all(talks: Sequence[Talk], folds: Path | None) -> Measured:
    """Measures every clip at every shift and with strangers' sound, by every design."""
    learned = [t for t in talks if t.training]
    full = fit([p for t in learned for p in pairs(t)])

    out: Measured = {}
    for talk in talks:
        others = [p for t in learned if t is not talk for p in pairs(t)]
        model = fit(others) if talk.training else full
        net = network_of(talk, folds)
        conditions: dict[float | str, tuple[Clip, tuple[float, float]]] = {}
        for shift in SHIFTS_MS:
            clip, heard_s = shifted(talk, shift)
            if heard_s[1] - heard_s[0] >= MIN_OVERLAP_S - 1e-6:
                conditions[float(shift)] = (clip, heard_s)
        for other in talks:
            # GRID's sentences are built alike, word by word: another one may well be in step.
            alike = other.name.startswith("grid") and talk.name.startswith("grid")
            made = None if other is talk or alike else dubbed(talk, other)
            if made is not None:
                conditions[other.name] = made
        for condition, (clip, heard_s) in conditions.items():
            both = measured(clip, heard_s, model, net)
            out["canonical", talk.name, condition] = [replace(c, network=None) for c in both]
            if net is not None:
                out["network", talk.name, condition] = only_network(both)
                out["hybrid", talk.name, condition] = both
            out["baseline", talk.name, condition] = measured_by_baseline(clip, heard_s)
    return out


@cache
def network(path: Path) -> SyncNet:
    """Reads a network."""
    model = SyncNet()
    tensors = {k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()}
    model.load_state_dict(tensors)
    model.eval().requires_grad_(False)
    return model


def network_of(talk: Talk, folds: Path | None) -> SyncNet | None:
    """Gives the network that never saw a clip's speaker."""
    if folds is None:
        return None
    return network(folds / f"{talk.name if talk.training else 'release'}.safetensors")


def rules_for(design: str, slope: float, offset: float) -> Rules:
    """Gives the rules of a design with its calibration."""
    share = HYBRID_SHARE if design == "hybrid" else 0.0
    return replace(PLAIN, slope=slope, offset=offset, network_share=share, conclusive=CONCLUSIVE)


class Calibrator:
    """Gives every design the probability that a window's offset is right, over its lead."""

    def __init__(self, talks: Sequence[Talk], done: Measured) -> None:
        self._rows: dict[str, list[tuple[str, str, float, bool]]] = {}
        by_name = {t.name: t for t in talks}
        for (design, name, condition), found in done.items():
            plain = rules_for(design, 1.0, 0.0)
            seen = speaking(found, plain)
            other = condition if isinstance(condition, str) else name
            for window_s in (4.0, WINDOW_S):
                self._rows.setdefault(design, []).extend(
                    (name, other, w.lead, _is_right(w, by_name[name], condition))
                    for w in windows(seen, plain, window_s)[::3]
                )
        self._kept: dict[tuple[str, str | None], Rules] = {}

    def rules(self, design: str, without: str | None) -> Rules:
        """Gives a design's rules, fitted on everybody but one."""
        if (design, without) not in self._kept:
            rows = [r for r in self._rows[design] if without not in r[:2]]
            x, y = np.array([r[2] for r in rows]), np.array([float(r[3]) for r in rows])

            def loss(p: Any) -> float:
                z = np.clip(p[0] * x + p[1], -40, 40)
                return float(np.mean(np.log1p(np.exp(z)) - y * z) + 1e-3 * p[0] ** 2)

            slope, offset = minimize(loss, np.array([1.0, -1.0])).x
            self._kept[design, without] = rules_for(design, float(slope), float(offset))
        return self._kept[design, without]


def _is_right(window: Window, talk: Talk, condition: float | str) -> bool:
    if isinstance(condition, str):
        return False
    truth = condition / MS_PER_FRAME + talk.native_frames
    return abs(window.peak.frames - truth) <= 1.5


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Gives the 95 % interval of a share. Source: Wilson 1927."""
    if not count:
        return 0.0, 1.0
    z, p = 1.959964, hits / count
    middle = (p + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(p * (1 - p) / count + z * z / (4 * count**2))
    return float(middle - half), float(middle + half)


def share(hits: int, count: int) -> str:
    """Gives a share as a table shows it."""
    if not count:
        return "none"
    low, high = wilson(hits, count)
    return f"{100 * hits / count:.0f} % ({hits}/{count}; {100 * low:.0f}–{100 * high:.0f})"


@dataclass
class Tally:
    """What is counted of some clips at one shift."""

    clips: int = 0
    conclusive: int = 0
    right: int = 0
    windows: int = 0
    false_windows: int = 0
    forced: int = 0
    errors_ms: tuple[float, ...] = ()

    def add(self, judged: Judgement, best_ms: float, shift_ms: float) -> None:
        """Counts one clip."""
        truth_ms = shift_ms
        self.clips += 1
        self.forced += abs(best_ms - truth_ms) <= FORCED_MS
        conclusive = [w for w in judged.windows if w.state != "open"]
        self.windows += len(conclusive)
        self.false_windows += sum(w.state == "out_of_step" for w in conclusive) * (not shift_ms)
        if judged.verdict == "inconclusive":
            return
        self.conclusive += 1
        if judged.verdict == "fail":
            found = float(np.median([w.peak.ms for p in judged.passages for w in p.windows]))
        else:
            found = float(np.median([w.peak.ms for w in conclusive]))
        self.errors_ms = (*self.errors_ms, abs(found - truth_ms))
        wanted = "pass" if not shift_ms else "fail"
        self.right += judged.verdict == wanted and (not shift_ms or found * shift_ms > 0)


def verdicts(
    design: str, talks: Sequence[Talk], done: Measured, chosen: Callable[[Talk], bool],
    calibrator: Calibrator, *, corrected: bool = False,
) -> dict[float, Tally]:  # fmt: skip
    """Judges clips at every shift; each with a calibration that never saw its speaker."""
    out = {float(s): Tally() for s in SHIFTS_MS}
    for talk in talks:
        if not chosen(talk):
            continue
        rules = calibrator.rules(design, talk.name)
        for shift in map(float, SHIFTS_MS):
            # A clip that is out of step by itself is put right by the same means.
            found = done.get((design, talk.name, shift))
            if found:
                own = _turned(found, -talk.native_frames) if corrected else found
                best = peak(likeness(speaking(own, rules), rules)[0])
                out[shift].add(judge(own, rules, WINDOW_S), best.ms, shift)
    return out


def _turned(found: Sequence[Cell], frames: int) -> list[Cell]:
    """Gives cells as if the sound were moved by some whole frames."""

    def turned(likeness: Likeness | None) -> Likeness | None:
        if likeness is None:
            return None
        return Likeness(np.roll(likeness.total, frames), np.roll(likeness.pairs, frames))

    return [replace(c, canonical=turned(c.canonical), network=turned(c.network)) for c in found]


def strangers(
    design: str, talks: Sequence[Talk], done: Measured, calibrator: Calibrator
) -> dict[str, int]:
    """Judges clips with somebody else's sound: all should be inconclusive."""
    counted = {"clips": 0, "inconclusive": 0, "fail": 0, "pass": 0}
    for talk in talks:
        rules = calibrator.rules(design, talk.name)
        for other in talks:
            found = done.get((design, talk.name, other.name))
            if found is not None:
                counted["clips"] += 1
                counted[judge(found, rules, WINDOW_S).verdict] += 1
    return counted


def by_length(
    talks: Sequence[Talk], folds: Path | None, chosen: Callable[[Talk], bool]
) -> dict[str, dict[int, tuple[int, int]]]:
    """Counts windows of so many frames whose best offset is within one frame of the truth."""
    learned = [t for t in talks if t.training]
    full = fit([p for t in learned for p in pairs(t)])
    out: dict[str, dict[int, tuple[int, int]]] = {}
    for talk in (t for t in talks if chosen(t)):
        others = [p for t in learned if t is not talk for p in pairs(t)]
        model = fit(others) if talk.training else full
        matrices: dict[str, list[Any]] = {"canonical": [], "network": [], "baseline": []}
        net = network_of(talk, folds)
        for mouth, sound, first in pairs(talk):
            ours = model.of_mouth(mouth) * model.weights
            matrices["canonical"].append(_matrix(ours, model.of_sound(sound), first))
            matrices["baseline"].append(
                _matrix(baseline.opening(mouth), baseline.envelope(sound), first)
            )
            if net is not None:
                heard = net.embed_sound(log_mel(sound))
                matrices["network"].append(_matrix(net.embed_picture(mouth.crops), heard, first))
        if net is not None:
            matrices["hybrid"] = [
                (1 - HYBRID_SHARE) * c[2:-2] + HYBRID_SHARE * n
                for c, n in zip(matrices["canonical"], matrices["network"], strict=True)
            ]
        for design, own in matrices.items():
            counts = out.setdefault(design, dict.fromkeys(LENGTHS_FRAMES, (0, 0)))
            for matrix in own:
                for length in LENGTHS_FRAMES:
                    # The network's windows are four fewer than its pictures.
                    size = min(length, len(matrix)) if length == 100 else length
                    for start in range(0, len(matrix) - size + 1, 5):
                        curve = matrix[start : start + size].mean(axis=0)
                        hit = abs(int(np.argmax(curve)) - len(OFFSETS) // 2) <= 1
                        hits, count = counts[length]
                        counts[length] = (hits + hit, count + 1)
    return out


def _matrix(ours: Any, theirs: Any, first: int) -> Any:
    """(T, 31) likeness of every picture with the sound at every offset; edges repeat the last."""
    rows = np.arange(len(ours))[:, None] + first + OFFSETS[None]
    return np.einsum("tk,tok->to", ours, theirs[np.clip(rows, 0, len(theirs) - 1)])


def tables(talks: Sequence[Talk], done: Measured, folds: Path | None) -> str:
    """Writes what was measured as Markdown."""
    designs = [d for d in DESIGNS if any(k[0] == d for k in done)]
    calibrator = Calibrator(talks, done)
    lines: list[str] = []
    groups: list[tuple[str, Callable[[Talk], bool], bool]] = [
        ("In step to a frame, all eleven", lambda t: t.in_step, False),
        ("of these GRID (never learned from)", lambda t: t.name.startswith("grid"), False),
        ("of these the others (left out in turn)", lambda t: t.in_step and t.training, False),
        ("Out of step by themselves, put right first", lambda t: not t.in_step, True),
    ]
    for title, chosen, corrected in groups:
        lines += [f"\n### {title}\n"]
        heads = ("design", "shift", "coverage", "right, of conclusive", "median error, ms")
        lines += [f"| {' | '.join(heads)} | offset right if forced |", "|---|---|---|---|---|---|"]
        for design in designs:
            found = verdicts(design, talks, done, chosen, calibrator, corrected=corrected)
            total = Tally()
            sizes = sorted({abs(s) for s in found})
            for size in sizes:
                both = [found[s] for s in found if abs(s) == size]
                part = _sum(both)
                total = _sum([total, part])
                lines.append(_row(design, f"{'±' if size else ''}{size:.0f} ms", part))
            lines.append(_row(f"**{design}**", "all", total))
            still = found[0.0]
            lines.append(
                f"| {design} | false out-of-step windows at 0 ms | | "
                f"{share(still.false_windows, still.windows)} | | |"
            )
    lines += ["\n### Somebody else's sound\n", "| design | inconclusive | fail | pass |"]
    lines += ["|---|---|---|---|"]
    for design in designs:
        c = strangers(design, talks, done, calibrator)
        lines.append(
            f"| {design} | {share(c['inconclusive'], c['clips'])} | {c['fail']} | {c['pass']} |"
        )
    lines += ["\n### By length of the window, within one frame\n"]
    heads = [f"{n} frames" if n < 100 else "4 s" for n in LENGTHS_FRAMES]
    for title, chosen in (
        ("speakers left out in turn", lambda t: t.training),
        ("GRID", lambda t: not t.training),
    ):
        lines += [f"\n| {title} | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
        for design, counts in by_length(talks, folds, chosen).items():
            cells_ = [
                f"{100 * h / n:.1f}" if n else "" for h, n in (counts[k] for k in LENGTHS_FRAMES)
            ]
            lines.append(f"| {design} | {' | '.join(cells_)} |")
        lines.append(f"| windows | {' | '.join(str(counts[k][1]) for k in LENGTHS_FRAMES)} |")
    return "\n".join(lines) + "\n"


def _sum(parts: Sequence[Tally]) -> Tally:
    return Tally(
        sum(p.clips for p in parts),
        sum(p.conclusive for p in parts),
        sum(p.right for p in parts),
        sum(p.windows for p in parts),
        sum(p.false_windows for p in parts),
        sum(p.forced for p in parts),
        tuple(e for p in parts for e in p.errors_ms),
    )


def _row(design: str, shift: str, tally: Tally) -> str:
    error = f"{np.median(tally.errors_ms):.0f}" if tally.errors_ms else ""
    return (
        f"| {design} | {shift} | {share(tally.conclusive, tally.clips)} | "
        f"{share(tally.right, tally.conclusive)} | {error} | {share(tally.forced, tally.clips)} |"
    )


def release(talks: Sequence[Talk], done: Measured, folder: Path, design: str) -> None:
    """Writes the linear model of all speakers but GRID, and the calibration, into an artifact."""
    data = save(fit([p for t in talks if t.training for p in pairs(t)]).tensors())
    (folder / "canonical.safetensors").write_bytes(data)
    path = folder / "detector.json"
    document: Mapping[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    rules = Calibrator(talks, done).rules(design, None)
    thresholds = {
        "probability_slope": round(rules.slope, 4),
        "probability_offset": round(rules.offset, 4),
        "network_share": rules.network_share,
        "conclusive": CONCLUSIVE,
        "in_step_ms": PLAIN.in_step_ms,
        "out_of_step_ms": PLAIN.out_of_step_ms,
        "min_votes": PLAIN.min_votes,
        "min_pairs": PLAIN.min_pairs,
    }
    canonical = {
        "file": "canonical.safetensors",
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "speakers": [t.name for t in talks if t.training],
    }
    updated = {
        "name": "av_sync",
        "version": "0.1.0",
        **document,
        "thresholds": thresholds,
        "severity": {"av_sync": {"measure": "perceptibility", "major": 1.0, "critical": 2.0}},
        "canonical": canonical,
    }
    path.write_text(json.dumps(updated, indent=1) + "\n")


def main() -> None:
    """Reads, measures and prints; writes where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, required=True, help="folder of talking clips")
    parser.add_argument("--folds", type=Path, help="networks by left-out clip, and release")
    parser.add_argument("--cache", type=Path, help="where mouths and sound of clips are kept")
    parser.add_argument("--out", type=Path, help="write the tables here as well")
    parser.add_argument("--release", type=Path, help="artifact folder to write model and rules to")
    parser.add_argument("--design", choices=DESIGNS, default="canonical", help="what is released")
    given = parser.parse_args()
    talks = read(given.clips, given.cache)
    done = measure_all(talks, given.folds)
    if given.release:
        release(talks, done, given.release, given.design)
        return
    text = tables(talks, done, given.folds)
    print(text)
    if given.out:
        given.out.write_text(text)


if __name__ == "__main__":
    main()
