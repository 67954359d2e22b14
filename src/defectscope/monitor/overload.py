"""What is left out when this machine cannot keep up, in a fixed order, and never in silence.

    0 all            everything is measured
    1 no networks    suspects are no longer looked at closely
    2 reference      frames that no other refers to are not decoded
    3 heartbeat      key frames only: black, freezes over seconds, silence, colour

Decoding is 70 to 80 % of what a channel costs: only the last two steps give much back.
"""

from __future__ import annotations

from typing import Literal

Level = Literal[0, 1, 2, 3]
NAMES = ("all", "no_networks", "reference_frames", "heartbeat")
SKIPPED = ("NONE", "NONE", "NONREF", "NONKEY")
# What frames far apart tell as well; everything else would take the gaps for defects.
HEARTBEAT = frozenset(
    {
        "audio_dropout",
        "black_frames",
        "color_error",
        "freeze",
        "letterbox",
        "loudness",
        "spatial_image",
        "stereo_image",
        "test_pattern",
    }
)
# Behind by so much for so long is a step down; caught up for so long is a step up.
_BEHIND_S, _FOR_S = 1.0, 4.0
_CAUGHT_UP_S, _QUIET_S = 0.4, 30.0


class Ladder:
    """Decides how much is left out.

    Attributes:
        level: What is left out now.
    """

    def __init__(self) -> None:
        self.level: Level = 0
        self._behind_since_s: float | None = None
        self._quiet_since_s: float | None = None

    def update(self, lag_s: float, now_s: float) -> Level:
        """Takes how far a channel is behind, seconds; returns what is left out from now on."""
        if lag_s >= _BEHIND_S:
            self._quiet_since_s = None
            self._behind_since_s = now_s if self._behind_since_s is None else self._behind_since_s
            if now_s - self._behind_since_s >= _FOR_S and self.level < 3:
                self.level = _step(self.level, 1)
                self._behind_since_s = now_s
        else:
            self._behind_since_s = None
            if lag_s > _CAUGHT_UP_S:
                self._quiet_since_s = None
            elif self._quiet_since_s is None:
                self._quiet_since_s = now_s
            elif now_s - self._quiet_since_s >= _QUIET_S and self.level > 0:
                self.level = _step(self.level, -1)
                self._quiet_since_s = now_s
        return self.level

    def trusts(self, detector: str) -> bool:
        """Tells whether a detector's word counts at this level."""
        return self.level < 2 or detector in HEARTBEAT


def _step(level: Level, by: int) -> Level:
    levels: tuple[Level, ...] = (0, 1, 2, 3)
    return levels[level + by]
