"""What is left out when this machine cannot keep up, in a fixed order, and never in silence.

    0 all            everything is measured
    1 no networks    suspects are no longer looked at closely
    2 reference      frames that no other refers to are not decoded
    3 heartbeat      key frames only: black, freezes over seconds, silence, colour

From 2 on, detectors that gaps between frames would mislead rest. Sound has no gaps: those that
measure all of it rest at the heartbeat alone, for what they cost.

Decoding is 70 to 80 % of what a channel costs: only the last two steps give much back.
"""

from __future__ import annotations

from typing import Literal

Level = Literal[0, 1, 2, 3]
NAMES = ("all", "no_networks", "reference_frames", "heartbeat")
SKIPPED = ("NONE", "NONE", "NONREF", "NONKEY")
# What needs a network, and looks at suspects alone.
LEARNED = frozenset({"audio_artifacts", "av_sync", "block_corruption"})
# Those that measure all of the sound, which frames that are left out do not touch.
SOUND = frozenset({"loudness", "spatial_image", "stereo_image"})
# What key frames and sound tell at little cost; everything else would take the gaps for defects,
# or costs more.
HEARTBEAT = frozenset(
    {"audio_dropout", "black_frames", "color_error", "freeze", "letterbox", "test_pattern"}
)
# Behind by so much, seconds, turns that can be put off are: nothing is left out yet.
HURRIED_S = 0.3
# Behind by so much for so long is a step down, unless what waits has shrunk to this share of it
# meanwhile: then what is left out already is enough.
_BEHIND_S, _FOR_S, _SHRUNK = 1.0, 4.0, 0.75
# Caught up for so long is a step up. One that does not last makes the next wait twice as long;
# one that lasts so long takes that back.
_CAUGHT_UP_S, _FIRST_QUIET_S, _LONGEST_QUIET_S, _LASTS_S = 0.4, 4.0, 64.0, 30.0


def lowest_trusted(detector: str) -> Level:
    """Returns the lowest level at which a detector's word counts."""
    if detector in LEARNED:
        return 0
    if detector in HEARTBEAT:
        return 3
    return 2 if detector in SOUND else 1


class Distrust:
    """Remembers until when what was left out can still be seen in the window.

    Args:
        window_s: Length of the window, seconds.
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._until_s: dict[int, float] = {}

    def note(self, level: Level, now_s: float) -> None:
        """Notes what is left out now, programme seconds."""
        for below in range(level):
            self._until_s[below] = now_s + self._window_s

    def covers(self, detector: str, now_s: float) -> bool:
        """Tells whether the window of a detector still has gaps that mislead it."""
        lowest = lowest_trusted(detector)
        # Networks that rested have no rows from then, and no gaps in what they look at.
        return lowest > 0 and now_s < self._until_s.get(lowest, -1.0)


class Ladder:
    """Decides how much is left out.

    Args:
        networks: Whether there are any to be left out.

    Attributes:
        level: What is left out now.
    """

    def __init__(self, *, networks: bool = True) -> None:
        self.level: Level = 0
        self._levels: tuple[Level, ...] = (0, 1, 2, 3) if networks else (0, 2, 3)
        self._behind_since_s: float | None = None
        self._behind_then_s = 0.0
        self._quiet_since_s: float | None = None
        self._quiet_s = _FIRST_QUIET_S
        self._climbed_s: float | None = None

    def update(self, lag_s: float, now_s: float) -> Level:
        """Takes how far a channel is behind, seconds; returns what is left out from now on."""
        if self._climbed_s is not None and now_s - self._climbed_s >= _LASTS_S:
            self._climbed_s, self._quiet_s = None, _FIRST_QUIET_S
        if lag_s >= _BEHIND_S:
            self._quiet_since_s = None
            if self._behind_since_s is None:
                self._behind_since_s, self._behind_then_s = now_s, lag_s
            if now_s - self._behind_since_s >= _FOR_S:
                if lag_s > _SHRUNK * self._behind_then_s:
                    self._fall()
                self._behind_since_s, self._behind_then_s = now_s, lag_s
        else:
            self._behind_since_s = None
            if lag_s > _CAUGHT_UP_S:
                self._quiet_since_s = None
            elif self._quiet_since_s is None:
                self._quiet_since_s = now_s
            elif now_s - self._quiet_since_s >= self._quiet_s and self.level > 0:
                self._step(-1)
                self._quiet_since_s = self._climbed_s = now_s
        return self.level

    def trusts(self, detector: str) -> bool:
        """Tells whether a detector's word counts at this level."""
        return lowest_trusted(detector) >= self.level

    def _fall(self) -> None:
        if self._climbed_s is not None:
            self._quiet_s = min(2 * self._quiet_s, _LONGEST_QUIET_S)
            self._climbed_s = None
        self._step(1)

    def _step(self, by: int) -> None:
        place = self._levels.index(self.level) + by
        self.level = self._levels[min(place, len(self._levels) - 1)]
