"""Drop-outs: the sound is cut off, on one channel or on all, and comes back.

Pauses in speech and quiet rooms are not silent, and do not end within milliseconds. A drop-out
falls from programme level to silence within 10 or 20 ms. Long digital silence is reported too.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_dropout.levels import HOPS_HZ, LevelMeter, to_dbfs
from defectscope.detectors.audio_dropout.params import Params
from defectscope.detectors.audio_dropout.standing import standing
from defectscope.engine.artifacts import severity_of
from defectscope.engine.contracts import Chunk, Needs, Tuned
from defectscope.findings import DetectorResult, Finding
from defectscope.measurements import Measurements, Table
from defectscope.media.stream import StreamInfo
from defectscope.temporal.spans import curve, runs
from defectscope.temporal.tables import TableBuilder, column, times_s
from defectscope.temporal.verdicts import result_of


class AudioDropout:
    """Finds interrupted sound."""

    name: ClassVar[str] = "audio_dropout"
    defects: ClassVar[tuple[str, ...]] = ("audio_dropout",)
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        self.needs = Needs(media=frozenset({"audio"}), context_before_s=0.1, context_after_s=0.1)

    def open(self, stream: StreamInfo) -> AudioDropoutAnalysis:
        """Returns a fresh analysis."""
        return AudioDropoutAnalysis(stream)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns levels into gaps."""
        audio = stream.audio
        assert audio is not None
        table = measurements.tables["levels"]
        starts_s = times_s(table)
        levels = {
            name: to_dbfs(column(table, f"level_{index}"))
            for index, name in enumerate(audio.channels)
            if not name.startswith("LFE")  # effects come and go by design
        }
        if not len(starts_s) or not levels:
            return DetectorResult("inconclusive")
        splices = times_s(measurements.tables["splices"])
        held = measurements.tables["held"]
        gaps: dict[tuple[int, int], list[str]] = {}
        for name, level in levels.items():
            stands = standing(held, audio.channels.index(name), starts_s)
            for gap in self._gaps(level, stands):
                if self._one_sided(gap, name, levels) or _is_spliced(gap, splices - starts_s[0]):
                    continue
                gaps.setdefault(_near(gaps, gap), []).append(name)
        findings = [
            self._finding(gap, channels, levels, starts_s) for gap, channels in sorted(gaps.items())
        ]
        loudest = np.max(np.stack(list(levels.values())), axis=0)
        reported = [f.interval for f in findings]
        silent = loudest <= self.tuned.thresholds["silence_dbfs"]
        for first, last in runs(silent):
            if (last - first) / HOPS_HZ < self.params.min_silence_s:
                continue
            finding = self._finding((first, last), list(levels), levels, starts_s)
            if not any(finding.interval.intersection_s(r) > 0 for r in reported):
                findings.append(finding)
        score = np.clip((self.tuned.thresholds["gap_dbfs"] + 20 - loudest) / 40, 0, 1)
        return result_of("audio_dropout", findings, curve(starts_s, score))

    def _gaps(self, level: NDArray[np.float32], stands: NDArray[np.bool_]) -> list[tuple[int, int]]:
        """Runs of near-silence that begin abruptly out of programme level, and end in it again.

        A value that is held is silence, too, with what an encode makes of its edges.

        Sounds begin abruptly by themselves, so that an abrupt end proves nothing; but none stops
        from one hop to the next. What was cut off need not come back in mid-word.
        """
        bound = self.tuned.thresholds["gap_dbfs"]
        active = self.tuned.thresholds["active_dbfs"]
        window = round(self.params.edge_window_s * HOPS_HZ)
        resume = round(self.params.resume_s * HOPS_HZ)
        found: list[tuple[int, int]] = []
        silent = (level <= bound) | stands
        for first, last in runs(silent):
            length_s = (last - first) / HOPS_HZ
            if not self.params.min_dropout_s <= length_s <= self.params.max_dropout_s:
                continue
            first = _smeared(level, first, active)
            before = level[max(0, first - window) : first]
            after = level[last : last + resume]
            if not len(before) or not len(after):
                continue  # the programme's own start and end
            # The hop at the edge is part sound, part gap; the level must have been there in the
            # hop beyond it, and not have been falling towards the gap.
            falls = before[-2:].max() >= active and before.max() - before[-2:].max() <= _SLOPE_DB
            rises = after.max() >= active
            if falls and rises:
                found.append((first, last))
        # A clock in a gated recording is silent between ticks: silence that is common and comes
        # again and again is how the programme sounds.
        silent_share = float(np.mean(silent))
        return [] if len(found) > 1 and silent_share > _NATURAL_SHARE else found

    def _one_sided(
        self, gap: tuple[int, int], name: str, levels: dict[str, NDArray[np.float32]]
    ) -> bool:
        """Tells whether one channel of a pair is gone for long while the other plays on."""
        partner = levels.get(_PARTNER.get(name, ""))
        first, last = gap
        if partner is None or (last - first) / HOPS_HZ < self.params.max_one_sided_s:
            return False
        return float(np.median(partner[first:last])) >= self.tuned.thresholds["active_dbfs"]

    def _finding(
        self,
        gap: tuple[int, int],
        channels: list[str],
        levels: dict[str, NDArray[np.float32]],
        starts_s: NDArray[np.float64],
    ) -> Finding:
        first, last = gap
        inside = float(np.mean([levels[c][first:last].mean() for c in channels]))
        neighbours = [levels[c][max(0, first - 5) : first] for c in channels]
        before = max((float(b.max()) for b in neighbours if len(b)), default=inside)
        drop = before - inside
        evidence: dict[str, Any] = {
            "duration_s": round((last - first) / HOPS_HZ, 3),
            "level_dbfs": round(inside, 1),
            "drop_db": round(drop, 1),
            "channels": channels,
        }
        return Finding(
            detector=self.name,
            defect="audio_dropout",
            start_s=float(starts_s[first]),
            end_s=float(starts_s[last - 1] + 1 / HOPS_HZ),
            confidence=round(float(np.clip(0.5 + drop / 100, 0.5, 0.99)), 4),
            severity=severity_of(self.tuned.severity["audio_dropout"], evidence),
            evidence=evidence,
        )


_NATURAL_SHARE = 0.33
# What the reader says where the sound's clock, rate or channels change.
_SPLICES = ("clock_restart", "rate_change", "layout_change")
# Left and right of one position, by the names that FFmpeg gives to channels.
_PAIRS = (("FL", "FR"), ("BL", "BR"), ("SL", "SR"), ("FLC", "FRC"), ("TFL", "TFR"), ("TBL", "TBR"))
_PARTNER = dict(_PAIRS) | {right: left for left, right in _PAIRS}
# A natural decay loses more than this before it reaches silence.
_SLOPE_DB = 15.0


# Transform codecs spread what they hear over a window of 1,024 or 2,048 samples.
_SMEAR_HOPS, _CLIFF_DB = 3, 25.0
# Where a stream's clock or format begins anew, its decoder begins with the encoder's delay: two
# frames of AAC at 24 kHz.
_SPLICE_S = 0.1


def _is_spliced(gap: tuple[int, int], splices_s: NDArray[np.float64]) -> bool:
    """Tells whether a gap is what a decoder leaves that begins anew: `stream_integrity`'s."""
    first_s, last_s = gap[0] / HOPS_HZ, gap[1] / HOPS_HZ
    touched = (splices_s >= first_s - _SPLICE_S) & (splices_s <= last_s + _SPLICE_S)
    return last_s - first_s <= _SPLICE_S and bool(np.any(touched))


def _smeared(level: NDArray[np.float32], first: int, active_dbfs: float) -> int:
    """Returns the hop at which sound stopped that an encode smears into the gap behind it.

    Sounds that die away have no cliff.
    """
    for at in range(first - 1, max(0, first - 1 - _SMEAR_HOPS), -1):
        if level[at] >= active_dbfs:
            break
        if level[at - 1] >= active_dbfs and level[at - 1] - level[at] >= _CLIFF_DB:
            return at
    return first


def _near(gaps: dict[tuple[int, int], list[str]], gap: tuple[int, int]) -> tuple[int, int]:
    """Returns the gap of another channel that is the same event, else the gap itself."""
    for known in gaps:
        if abs(known[0] - gap[0]) <= 2 and abs(known[1] - gap[1]) <= 2:
            return known
    return gap


class AudioDropoutAnalysis:
    """Measures the level of every channel, hop by hop, and notes where sound begins anew."""

    def __init__(self, stream: StreamInfo) -> None:
        audio = stream.audio
        assert audio is not None
        self._channels = len(audio.channels)
        self._meter = LevelMeter(audio.rate_hz, self._channels)
        columns = {f"level_{k}": np.uint8 for k in range(self._channels)}
        self._table = TableBuilder(Fraction(HOPS_HZ), hop=np.int64, **columns)
        held = {"channel": np.uint8, "value": np.int16}
        self._held = TableBuilder(Fraction(HOPS_HZ), hop=np.int64, **held)
        self._splices: set[int] = set()

    def push(self, chunk: Chunk) -> None:
        """Takes the next runs of sound."""
        for event in chunk.events:
            if event.media == "audio" and event.kind in _SPLICES:
                self._splices.add(round(event.time_s * HOPS_HZ))
        for run in chunk.audio:
            self._meter.push(run.start, run.data)
        for hop, channel, value in self._meter.held:
            self._held.add(hop=[hop], channel=[channel], value=[value])
        self._meter.held.clear()
        # Kept as bytes at once: an hour of small arrays would weigh more than the programme.
        for first, codes in self._meter.rows:
            levels = {f"level_{k}": codes[:, k] for k in range(self._channels)}
            self._table.add(hop=np.arange(first, first + len(codes)), **levels)
        self._meter.rows.clear()

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them."""
        tables = {
            "levels": self._table.take(),
            "splices": self._spliced(),
            "held": self._held.take(),
        }
        self._splices.clear()
        return Measurements("audio_dropout", tables)

    def close(self) -> Measurements:
        """Returns levels and splices by hop."""
        tables = {
            "levels": self._table.table(),
            "splices": self._spliced(),
            "held": self._held.table(),
        }
        return Measurements("audio_dropout", tables)

    def _spliced(self) -> Table:
        splices = TableBuilder(Fraction(HOPS_HZ), hop=np.int64)
        splices.add(hop=sorted(self._splices))
        return splices.table()
