"""Windows of one second out of cached clips, and the network's evaluation of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts import spectra
from defectscope.detectors.audio_artifacts.layout import CLASSES, NEAR, REACH
from defectscope.detectors.audio_artifacts.network import Network
from defectscope.training.audio_artifacts.audibility import ABSENT, AUDIBLE_DB
from defectscope.training.contract import CacheView, Split
from defectscope.training.scores import balanced_accuracy, confusion

# Ticks of 50 ms: a clip has sixty, a window twenty, the next begins ten later; 40 ms at either edge
# of a window hide a click.
TICKS, _WINDOW, _HOP = 60, 20, 10
_CLICKS = CLASSES.index("audio_clicks")
_AUDIBLE_DB = np.array([AUDIBLE_DB[name] for name in CLASSES])
# Down to here a defect counts as there where it is evaluated as it was drawn, heard or not: what
# lies lower, such as the clipping of a pause, has left nothing behind.
_DRAWN_DB = -30.0
# A window shows a lasting defect when it can be heard for this share of its time, and is free of it
# when it holds no more than a tenth of it. Between the two nobody can say.
_SHOWS = np.array([0.5, 0.5, 0.3, 0.5])
_FREE = 0.1
BATCH = 240
SPECTRA = ("mel", "lines", "fast", "levels")


def windows(
    cache: CacheView,
    split: Split,
    places: Sequence[int],
    rng: np.random.Generator | None = None,
    starts: Sequence[int] | None = None,
    *,
    drawn: bool = False,
) -> dict[str, torch.Tensor]:
    """Returns windows as a batch, with targets and weights.

    Args:
        cache: Where the clips are.
        split: Of which split.
        places: Which clips.
        rng: Draws where the windows begin, when `starts` does not say.
        starts: First tick of each window.
        drawn: See `truth_of`.
    """
    columns: dict[str, list[NDArray[Any]]] = {
        k: [] for k in ("mel", "lines", "fast", "levels", "target", "weight")
    }
    for row, place in enumerate(places):
        audibility_db = cache.array(split, place, "heard")
        if starts is not None:
            tick = starts[row]
        else:
            assert rng is not None
            tick = int(rng.integers(0, len(audibility_db) - _WINDOW + 1))
        window = spectra.Spectra(
            cache.array(split, place, "mel"),
            cache.array(split, place, "lines"),
            cache.array(split, place, "fast"),
            cache.array(split, place, "levels"),
        ).window(tick / 20)
        columns["mel"].append(window.mel)
        columns["lines"].append(window.lines)
        columns["fast"].append(window.fast)
        columns["levels"].append(window.levels.sum(axis=0, dtype=np.float32))
        target, weight = truth_of(audibility_db[tick : tick + _WINDOW], drawn=drawn)
        columns["target"].append(target)
        columns["weight"].append(weight)
    return {k: torch.from_numpy(np.stack(v).astype(np.float32)) for k, v in columns.items()}


def sequences(
    cache: CacheView, split: Split, places: Sequence[int], firsts: Sequence[int]
) -> dict[str, torch.Tensor]:
    """Returns the windows of whole clips, half a second apart, each with those around it.

    Args:
        cache: Where the clips are.
        split: Of which split.
        places: Which clips.
        firsts: First tick of each clip's first window, 0 to 10.

    Returns:
        What `windows` gives, five windows a clip, and `present` (clips, 5), which of the five the
        clip has room for; those it has not are copies of the first and weigh nothing.
    """
    steps = [(p, f + k * _HOP) for p, f in zip(places, firsts, strict=True) for k in range(NEAR)]
    room = np.array([tick + _WINDOW <= TICKS for _, tick in steps])
    ticks = [t if fits else t % _HOP for (_, t), fits in zip(steps, room, strict=True)]
    batch = windows(cache, split, [p for p, _ in steps], starts=ticks)
    batch["weight"] *= torch.from_numpy(room)[:, None]
    return {**batch, "present": torch.from_numpy(room.reshape(-1, NEAR))}


def around(audibility_db: torch.Tensor, present: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns every window with its surroundings, as `Network` evaluates them.

    Args:
        audibility_db: (clips, windows, EMBEDDING) of consecutive windows.
        present: (clips, windows) which of them there are.

    Returns:
        (clips * windows, 5, EMBEDDING) and (clips * windows, 5).
    """
    padded = torch.nn.functional.pad(audibility_db, (0, 0, REACH, REACH))
    there = torch.nn.functional.pad(present, (REACH, REACH))
    near = padded.unfold(1, NEAR, 1).transpose(2, 3).flatten(0, 1)
    mask = there.unfold(1, NEAR, 1).flatten(0, 1).clone()
    # A window that is not there is evaluated as if it were: nothing is read off it.
    mask[:, REACH] = True
    return near, mask


def truth_of(
    audibility_db: NDArray[np.int8], *, drawn: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Returns target and weight of a window, (4,) each.

    Args:
        audibility_db: (20, 4), how far each defect stands out in each tick, dB.
        drawn: Call a defect there wherever it was put and left anything, heard or not.
    """
    present = audibility_db > ABSENT
    told = present & (audibility_db >= (_DRAWN_DB if drawn else _AUDIBLE_DB))
    shows = told.mean(axis=0) >= _SHOWS
    free = present.mean(axis=0) <= _FREE
    # A click at the very edge belongs to the neighbouring window as much as to this one.
    shows[_CLICKS] = told[1:-1, _CLICKS].any()
    free[_CLICKS] = not present[:, _CLICKS].any()
    return shows.astype(np.float32), (shows | free).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Windows with truth and evaluation.

    Attributes:
        clips: (n,) place of each window's clip in the split.
        starts: (n,) first tick.
        logits: (n, 4).
        target: (n, 4), 1 where the defect is there.
        weight: (n, 4), 0 where nobody can say.
        facts: Of the clips.
    """

    clips: NDArray[np.int64]
    starts: NDArray[np.int64]
    logits: NDArray[np.float64]
    target: NDArray[np.float64]
    weight: NDArray[np.float64]
    facts: Sequence[Mapping[str, Any]]

    def task(self) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Returns which windows belong to the five-class task, and their class.

        Windows of clips with one defect or none, whose truth is beyond doubt: 0 none, then
        `CLASSES` in order.
        """
        single = np.array([len(f.get("damages", ())) <= 1 for f in self.facts])[self.clips]
        kept = single & (self.weight.min(axis=1) > 0)
        # A window of an impaired clip outside its defect is a clean one.
        return kept, np.where(self.target.max(axis=1) > 0, self.target.argmax(axis=1) + 1, 0)

    def predicted(self, thresholds: Sequence[float] | None = None) -> NDArray[np.int64]:
        """Returns the class said: the defect furthest over its threshold, else none."""
        margin = self.logits - np.zeros(4) if thresholds is None else self.logits - thresholds
        return np.where(margin.max(axis=1) > 0, margin.argmax(axis=1) + 1, 0)

    def balanced_accuracy(self, thresholds: Sequence[float] | None = None) -> float:
        """Returns balanced accuracy at the five-class task."""
        kept, truth = self.task()
        return balanced_accuracy(confusion(truth[kept], self.predicted(thresholds)[kept], 5))


def families_of(facts: Mapping[str, Any]) -> list[str]:
    """Returns a clip's families as `hum:buzz`."""
    damages = facts.get("damages", ())
    return [f"{d['defect'].removeprefix('audio_')}:{d['family']}" for d in damages]


def holding(evaluated: Evaluated, families: Collection[str]) -> NDArray[np.bool_]:
    """Returns which windows are of clips that hold some of these families."""
    each = [bool(set(families) & set(families_of(f))) for f in evaluated.facts]
    return np.array(each)[evaluated.clips]


def without(evaluated: Evaluated, families: Collection[str]) -> Evaluated:
    """Returns the windows of clips that hold none of these families."""
    kept = ~holding(evaluated, families)
    columns = ("clips", "starts", "logits", "target", "weight")
    return replace(evaluated, **{name: getattr(evaluated, name)[kept] for name in columns})


def score_windows(
    model: torch.nn.Module,
    cache: CacheView,
    split: Split,
    starts: Sequence[int] = (0, 20, 40),
    *,
    drawn: bool = False,
) -> Evaluated:
    """Returns the evaluation of fixed windows of every clip of a split.

    Each is evaluated within the clip, whichever windows are asked for.

    Args:
        model: The network.
        cache: Where the clips are.
        split: Of which split.
        starts: First ticks of the windows, multiples of ten.
        drawn: See `truth_of`.
    """
    facts = cache.facts(split)
    clips = [place for place, fact in enumerate(facts) if "damages" in fact]
    asked = np.array([k * _HOP in starts for k in range(NEAR)])
    logits: list[NDArray[Any]] = []
    truths: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
    network = cast("Network", model.eval())
    device = next(model.parameters()).device
    with torch.inference_mode():
        for first in range(0, len(clips), BATCH // NEAR):
            part = clips[first : first + BATCH // NEAR]
            batch = sequences(cache, split, part, [0] * len(part))
            audibility_db = network.embed_windows(
                *(batch[k].to(device) for k in SPECTRA)
            ).unflatten(0, (-1, NEAR))
            near = around(audibility_db, batch["present"].to(device))
            evaluated = network(*near).float().cpu().numpy().reshape(len(part), NEAR, -1)
            logits.append(evaluated[:, asked].reshape(-1, len(CLASSES)))
            for place in part:
                own = cache.array(split, place, "heard")
                truths += [truth_of(own[t : t + _WINDOW], drawn=drawn) for t in starts]
    pairs = [(clip, tick) for clip in clips for tick in starts]
    return Evaluated(
        np.array([p[0] for p in pairs]),
        np.array([p[1] for p in pairs]),
        np.concatenate(logits).astype(np.float64),
        np.stack([target for target, _ in truths]).astype(np.float64),
        np.stack([weight for _, weight in truths]).astype(np.float64),
        facts,
    )
