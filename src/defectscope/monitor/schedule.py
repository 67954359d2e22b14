"""Whose turn it is to look and to decide, step after step.

Signal that is gone is told within a second or two, so its detectors decide at every step. Measures
of quality change over seconds and cost most: theirs comes less often, and what they have not
looked at waits and is looked at together, which costs less than in small pieces. Whoever found
something new, or finds something gone, decides again at the next step, so that an alarm, which
wants two decisions in a row, does not wait for the next turn.

While data wait, turns that do not come at every step are put off, so that a moment in which the
machine is too slow is not one in which anything is left out.
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
# A turn is put off by so many steps at most, and by one more for every so many detectors behind the
# first, so that not all of them come at once. What they have not looked at is held meanwhile, about
# 4.5 MB a second at 720p25: that is why it is not longer.
_PUT_OFF_STEPS, _AT_ONCE = 3, 4

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
        slow = sorted(EVERY, key=lambda n: EVERY[n])
        self._patience = {n: _PUT_OFF_STEPS + k // _AT_ONCE for k, n in enumerate(slow)}
        # Turns that have come and were not taken, and the step at which each must be.
        self._owed: dict[str, int] = {}

    def next(
        self, resting: frozenset[str] = frozenset(), *, hurried: bool = False
    ) -> frozenset[str]:
        """Returns who is due at the next step.

        Args:
            resting: Those who are not, whatever their turn.
            hurried: Whether turns that do not come at every step are put off.
        """
        step, self._step = self._step, self._step + 1
        rhythm = {n: EVERY.get(n, (1, 0)) for n in self._names}
        reached = {n for n, (every, first) in rhythm.items() if step % every == first}
        for name in reached & self._patience.keys():
            self._owed.setdefault(name, step + self._patience[name])
        owed = {n for n, last in self._owed.items() if not hurried or step >= last}
        due = (reached - self._patience.keys()) | owed | self._changing
        for name in due | resting:
            self._owed.pop(name, None)
        return frozenset(due - resting)

    def decided(self, name: str, findings: Sequence[Finding]) -> None:
        """Takes what one found at its turn."""
        seen: Seen = Counter((finding.defect, finding.track) for finding in findings)
        if seen == self._before.get(name, Counter()):
            self._changing.discard(name)
        else:
            self._changing.add(name)
        self._before[name] = seen
