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

# Steps from one turn to the next, where it is not every one, and the first turn. Turns are spread,
# so that no step has much more to do than another.
_SECOND = ("flicker", "tearing", "test_pattern")
_FOURTH_EARLY = ("blur", "color_error", "loudness", "stutter")
_FOURTH_LATE = (
    *("banding", "compression_blockiness", "interlacing", "letterbox"),
    *("spatial_image", "video_noise"),
)
EVERY: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(_SECOND, (2, 0)),
    **dict.fromkeys(_FOURTH_EARLY, (4, 1)),
    **dict.fromkeys(_FOURTH_LATE, (4, 3)),
}

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
        rhythm = {n: EVERY.get(n, (1, 0)) for n in self._names}
        due = {n for n, (every, first) in rhythm.items() if step % every == first}
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
