"""Whose turn it is to look and to decide, step after step.

Signal that is gone is told within a second or two, so its detectors decide at every step. Measures
of quality change over seconds and cost most: theirs comes less often, and what they have not
looked at waits and is looked at together, which costs less than in small pieces. Whoever found
something new, or finds something gone, decides again at the next step, so that an alarm, which
wants two decisions in a row, does not wait for the next turn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from defectscope.findings import Finding

# Steps from one turn to the next, where it is not every one.
_EVERY_SECOND = ("flicker", "stereo_image", "tearing", "test_pattern")
_EVERY_FOURTH = (
    *("banding", "blur", "color_error", "compression_blockiness", "interlacing", "letterbox"),
    *("loudness", "spatial_image", "stutter", "video_noise"),
)
STEPS: Mapping[str, int] = {**dict.fromkeys(_EVERY_SECOND, 2), **dict.fromkeys(_EVERY_FOURTH, 4)}

Seen = Counter[tuple[str, int | None]]


class Schedule:
    """Tells who is due at a step.

    Args:
        names: The detectors that run.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._step = 0
        self._before: dict[str, Seen] = {}
        self._changing: set[str] = set()

    def next(self, resting: frozenset[str] = frozenset()) -> frozenset[str]:
        """Returns who is due at the next step.

        Args:
            resting: Those who are not, whatever their turn.
        """
        step, self._step = self._step, self._step + 1
        due = {n for n in self._names if (step + 1) % STEPS.get(n, 1) == 0}
        due |= self._changing
        return frozenset(due - resting)

    def decided(self, name: str, findings: Sequence[Finding]) -> None:
        """Takes what one found at its turn."""
        seen: Seen = Counter((finding.defect, finding.track) for finding in findings)
        if seen == self._before.get(name, Counter()):
            self._changing.discard(name)
        else:
            self._changing.add(name)
        self._before[name] = seen
