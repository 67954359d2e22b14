"""What surrounds an interval that is analyzed by itself.

A freeze is told from a slide by what moved before it. Whoever analyzes an interval that begins
where a freeze begins expects to find it, so each detector decides over some programme on either
side as well, and keeps what reaches into the interval, with its true ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from defectscope.findings import DetectorResult, Finding
from defectscope.measurements import Measurements


@dataclass(frozen=True, slots=True)
class Surroundings:
    """An interval's measurements with those of the programme around it.

    Attributes:
        start_s: First instant of the interval, seconds from t = 0; None for the beginning.
        end_s: First instant after it; None for the end.
        measurements: By detector, the interval's own included; without those of detectors that
            judge an interval as a whole.
    """

    start_s: float | None
    end_s: float | None
    measurements: Mapping[str, Measurements]

    def completed(self, alone: DetectorResult, among: DetectorResult) -> DetectorResult:
        """Returns what one detector says of the interval.

        Args:
            alone: What it decides over the interval by itself.
            among: What it decides over the interval and its surroundings.
        """
        kept = tuple(finding for finding in among.findings if self._holds_some(finding))
        if kept:
            return replace(among, findings=kept, curves=alone.curves)
        if not alone.findings:
            return alone
        # Its surroundings explain what looked like a defect.
        verdict = "pass" if among.verdict in ("warn", "fail") else among.verdict
        return replace(alone, verdict=verdict, findings=(), peak_score={}, reason=among.reason)

    def _holds_some(self, finding: Finding) -> bool:
        begins = self.end_s is None or finding.start_s < self.end_s
        instant = finding.start_s == finding.end_s == self.start_s
        return begins and (self.start_s is None or finding.end_s > self.start_s or instant)
