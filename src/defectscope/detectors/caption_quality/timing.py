"""Captions against the sound: delay, drift, and speech that nobody captioned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.caption_quality.rules import Break
from defectscope.detectors.caption_quality.speech import Fit, activity, delays, shown
from defectscope.detectors.caption_quality.track import Track
from defectscope.temporal.spans import bridge, runs
from defectscope.temporal.speech_levels import BLOCKS_HZ, Series

# Fewer cues can agree with anything.
_MIN_CUES = 5
# Captions may be held after the last word; the mean of well-timed ones is this late.
_TYPICAL_LATE_S = 0.1
_PAUSE_S = 2.5
# Pauses within a phrase, over which a caption stays.
_WITHIN_S = 0.5
# Pauses between captions as short as this are mostly silent; at their edges, words go on for some
# blocks. What they exceed for less than a third of the time is no speech.
_SHORT_PAUSE_S = 3.5
_EDGE = 3
_LEAST_PAUSES_S = 10.0
_PAUSE_PERCENT = 70
# Speakers who are silent for longer than this begin something new.
_SAME_BLOCK_S = 30.0
# Fewer than that say something only where they begin with the speech: so many of them, so near.
_FEWEST_CUES = 3
_NEAR_S = 0.35
_ALIGNED = 0.8
# Speeds at which captions are delivered for a programme that has another: film at 24 frames a
# second shown at 25, and the reverse, and each with the thousandth of NTSC.
_SPEEDS = (24 / 25, 25 / 24, 24_000 / 25_025, 25_025 / 24_000)
# Delays of windows agree with each other where they are so near; fewer windows, which overlap by
# two thirds, may do so by chance, and in as short a time the delay itself is within reach.
_SAME_DELAY_S = 0.5
_FEWEST_WINDOWS = 7


def timing_breaks(
    track: Track, level: Series, softest: Series, tuned: Mapping[str, float], most_s: float
) -> Iterator[Break]:
    """Returns intervals of late or early captions, and of speech without any.

    Args:
        track: The cues.
        level: Level of the band of speech by block, dBFS.
        softest: Likewise of the softest fifth of each block.
        tuned: Thresholds.
        most_s: Largest delay that is looked for.
    """
    good = (track.end_s > track.start_s) & ~track.empty
    start_s, end_s = track.start_s[good], track.end_s[good]
    if len(start_s) < _FEWEST_CUES or len(level) < 10 * BLOCKS_HZ:
        return
    active = activity(level)
    if active is None:
        return
    mask = shown(start_s, end_s, len(level))
    # In a short programme captions that are missing look like captions that are late, but for this.
    if len(level) <= tuned["window_s"] * BLOCKS_HZ and _begin_with(start_s, active):
        yield from _missing(mask, level, softest, tuned)
        return
    if len(start_s) < _MIN_CUES:
        return
    every = delays(mask, active, tuned["window_s"], most_s)
    fits = [fit for fit in every if fit.agreement >= tuned["agreement"]]
    drifting = list(_other_speed(every, start_s, end_s, active, tuned, most_s))
    drifting = drifting or list(_drifts(fits, start_s, end_s, tuned))
    yield from drifting
    if fits and not drifting:
        yield from _missing(mask, level, softest, tuned)


def _begin_with(start_s: Series, active: Series) -> bool:
    """Tells whether captions begin where speech does."""
    onsets_s = (np.flatnonzero(np.diff(active >= 0.5, prepend=False) & (active >= 0.5))) / BLOCKS_HZ
    if not len(onsets_s):
        return False
    away_s = np.abs(start_s[:, None] - onsets_s[None, :]).min(axis=1)
    return float(np.mean(away_s <= _NEAR_S)) >= _ALIGNED


def _other_speed(
    fits: list[Fit],
    start_s: Series,
    end_s: Series,
    active: Series,
    tuned: Mapping[str, float],
    most_s: float,
) -> Iterator[Break]:
    """Returns the whole of captions that fit the speech only if they are played at another speed.

    At four per cent, captions run away from the speech within a window, and out of reach after
    some minutes. At the right speed all windows agree.
    """
    least = tuned["speed_share"]
    if len(fits) < _FEWEST_WINDOWS or _in_step(fits, tuned) > least / 2:
        return
    played = {
        speed: delays(
            shown(start_s / speed, end_s / speed, len(active)), active, tuned["window_s"], most_s
        )
        for speed in _SPEEDS
    }
    shares = {
        speed: (_in_step(found, tuned), sum(fit.agreement for fit in found))
        for speed, found in played.items()
        if len(found) >= _FEWEST_WINDOWS
    }
    if not shares:
        return
    speed = max(shares, key=lambda each: shares[each])
    if shares[speed][0] < least:
        return
    late = float(np.median([fit.late_s for fit in played[speed]])) - _TYPICAL_LATE_S
    middle_s = float(np.median(start_s)) / speed
    evidence = {
        "offset_ms": round(1000 * (middle_s * (speed - 1) + speed * late)),
        "drift_ms_per_min": round(60_000 * (speed - 1)),
        "agreement": round(float(np.mean([fit.agreement for fit in played[speed]])), 3),
    }
    yield Break("caption_drift", float(start_s.min()), float(end_s.max()), evidence)


def _in_step(fits: list[Fit], tuned: Mapping[str, float]) -> float:
    """Returns the share of windows in which captions agree with the speech at one delay."""
    late = np.array([fit.late_s for fit in fits if fit.agreement >= tuned["agreement"]])
    if not len(late):
        return 0.0
    return float(np.sum(np.abs(late - np.median(late)) <= _SAME_DELAY_S)) / len(fits)


def _drifts(
    fits: list[Fit], start_s: Series, end_s: Series, tuned: Mapping[str, float]
) -> Iterator[Break]:
    if not fits:
        return
    late = np.array([fit.late_s - _TYPICAL_LATE_S for fit in fits])
    centre = np.array([fit.centre_s for fit in fits])
    reach = tuned["window_s"] / 2
    for first, last in runs(np.abs(late) >= tuned["late_s"]):
        # One window of several may have fitted by chance.
        if last - first < min(2, len(fits)):
            continue
        low = 0.0 if first == 0 else float(centre[first] - reach / 3)
        top = np.inf if last == len(fits) else float(centre[last - 1] + reach / 3)
        inside = (end_s > low) & (start_s < top)
        if not inside.any():
            continue
        part = slice(first, last)
        slope = _slope(centre[part], late[part])
        evidence = {
            "offset_ms": round(1000 * float(np.median(late[part]))),
            "drift_ms_per_min": round(1000 * 60 * slope),
            "agreement": round(float(np.mean([fit.agreement for fit in fits[part]])), 3),
        }
        yield Break(
            "caption_drift", float(start_s[inside].min()), float(end_s[inside].max()), evidence
        )


def _slope(x: Series, y: Series) -> float:
    """Returns the median slope over all pairs: outliers do not move it. 0 for fewer than three."""
    if len(x) < 3:
        return 0.0
    chosen = np.unique(np.linspace(0, len(x) - 1, min(len(x), 200)).astype(int))
    return float(np.median([(y[b] - y[a]) / (x[b] - x[a]) for a, b in combinations(chosen, 2)]))


def _phrases(talking: NDArray[np.bool_], blocks_s: Series) -> NDArray[np.bool_]:
    """Returns the blocks of phrases: those that talk, and the short pauses between them."""
    spoken = np.zeros(len(talking), bool)
    for first, last in bridge(runs(talking), blocks_s, blocks_s + 1 / BLOCKS_HZ, _WITHIN_S):
        spoken[first:last] = True
    return spoken


def _pause_level(covered: NDArray[np.bool_], level: Series) -> float:
    """Returns the level that most of the sound in short pauses between captions stays below.

    Most of these are pauses of the speech, whatever music or noise goes on in them.
    """
    pauses = [
        level[first + _EDGE : last - _EDGE]
        for first, last in runs(~covered)
        if first > 0 and last < len(covered) and last - first <= _SHORT_PAUSE_S * BLOCKS_HZ
    ]
    sound = np.concatenate(pauses) if pauses else np.zeros(0)
    if len(sound) < _LEAST_PAUSES_S * BLOCKS_HZ:
        return -np.inf
    return float(np.percentile(sound, _PAUSE_PERCENT))


def _missing(
    mask: Series, level: Series, softest: Series, tuned: Mapping[str, float]
) -> Iterator[Break]:
    """Returns intervals without captions that sound as the captioned ones do."""
    covered = mask > 0
    if not covered.any():
        return
    # Speech is loud and broken up; music and noise are one or the other.
    loud = float(np.percentile(level[covered], 50)) - tuned["speech_margin_db"]
    loud = max(loud, _pause_level(covered, level))
    ripple = level - softest
    talking = level >= loud
    blocks = np.arange(len(mask), dtype=np.float64) / BLOCKS_HZ
    captioned = covered & _phrases(talking, blocks)
    baseline, share = float(np.mean(ripple[captioned])), float(np.mean(talking[captioned]))
    for low, top in runs(~covered):
        told: list[tuple[int, int]] = []
        # Words have pauses between them, and so have sentences.
        pieces = bridge(runs(talking[low:top]), blocks, blocks + 1 / BLOCKS_HZ, _PAUSE_S)
        for first, last in ((low + a, low + b) for a, b in pieces):
            if np.sum(talking[first:last]) / BLOCKS_HZ < tuned["missing_s"]:
                continue
            # Captions leave long pauses out, and so does what is compared with them.
            spoken = _phrases(talking[first:last], blocks)
            if float(np.mean(talking[first:last][spoken])) < 0.5 * share:
                continue
            rippled = float(np.mean(ripple[first:last][spoken]))
            if not 0.6 <= rippled / max(baseline, 0.1) <= 1.7:
                continue
            told.append((first, last))
        # Where no caption comes between, what is missing is one block of them.
        for first, last in bridge(told, blocks, blocks + 1 / BLOCKS_HZ, _SAME_BLOCK_S):
            evidence = {
                "duration_s": round((last - first) / BLOCKS_HZ, 2),
                "level_dbfs": round(float(np.median(level[first:last])), 1),
            }
            yield Break("caption_missing", first / BLOCKS_HZ, last / BLOCKS_HZ, evidence)
