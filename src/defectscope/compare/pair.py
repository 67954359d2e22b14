"""Compares a candidate with its baseline: alignment, frame, sound, findings, one verdict."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from defectscope.analysis import analyze
from defectscope.compare.alignment import Alignment, NotComparableError
from defectscope.compare.finding_changes import FindingChange, match_findings
from defectscope.compare.matching import align
from defectscope.compare.metrics import QualityCurves, measure_quality
from defectscope.compare.signature import Signatures, read_signatures
from defectscope.compare.sound import SoundAlignment, align_sound
from defectscope.findings import Report
from defectscope.media.limits import Limits
from defectscope.media.opening import open_media
from defectscope.media.source import MediaLike

SCHEMA = "defectscope/comparison/1"
PairVerdict = Literal["better", "worse", "no difference seen"]
# A change of the offset of sound beyond this is seen.
# Source: EBU R37-2007, sound 40 ms early to 60 ms late.
_EARLY_MS, _LATE_MS = -40.0, 60.0
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Comparison:
    """A candidate beside its baseline.

    Attributes:
        base: Report of the baseline.
        candidate: Report of the candidate.
        alignment: Which frames are the same; None where reports alone were compared.
        sound: How the sounds lie; None where one of them has none.
        quality: The frame's measures; None where they were not asked for.
        findings: What became of each finding.
        facts: Facts of the media that differ: name, baseline's, candidate's.
        verdict: `better`, `worse` or `no difference seen`.
        reasons: What the verdict rests on.
    """

    base: Report
    candidate: Report
    alignment: Alignment | None
    sound: SoundAlignment | None
    quality: QualityCurves | None
    findings: tuple[FindingChange, ...]
    facts: tuple[tuple[str, Any, Any], ...]
    verdict: PairVerdict
    reasons: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Returns the comparison as its JSON object."""
        return {
            "schema": SCHEMA,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "base": dict(self.base.asset),
            "candidate": dict(self.candidate.asset),
            "facts": [{"name": n, "base": b, "candidate": c} for n, b, c in self.facts],
            "alignment": None if self.alignment is None else self.alignment.to_dict(),
            "sound": None if self.sound is None else self.sound.to_dict(),
            "metrics": None if self.quality is None else self.quality.to_dict(),
            "findings": [change.to_dict() for change in self.findings],
        }

    def to_json(self, indent: int | None = None) -> str:
        """Returns the comparison as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)


def compare(
    base: MediaLike,
    candidate: MediaLike,
    *,
    detectors: Sequence[str] | None = None,
    quality: bool = True,
    every: int = 1,
    vmaf: bool = False,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compares two versions of one title.

    Args:
        base: The baseline: a path, an `s3://` address, bytes or a seekable file.
        candidate: The candidate.
        detectors: Names of the detectors to run on both; None runs all.
        quality: Whether to measure PSNR, SSIM and XPSNR of the paired frames.
        every: Measures every n-th pair of frames alone.
        vmaf: Whether to measure VMAF and CAMBI of them, too; needs the extra `vmaf`.
        limits: Bounds on what one asset may cost.
        progress: Called with the name of the step and the programme time reached, in seconds.

    Raises:
        NotComparableError: They are not versions of one title, or one has no video.
        MediaError: One of them cannot be read.
    """
    limits = limits or Limits()

    def step(name: str) -> Callable[[float], None]:
        return lambda reached_s: progress(name, reached_s) if progress is not None else None

    signatures = [
        _signatures(media, name, limits, step(f"reading the {name}"))
        for media, name in ((base, "baseline"), (candidate, "candidate"))
    ]
    alignment = align(*signatures)
    reports = [
        analyze(media, detectors=detectors, limits=limits, progress=step(f"analyzing the {name}"))
        for media, name in ((base, "baseline"), (candidate, "candidate"))
    ]
    with open_media(base, limits=limits) as one, open_media(candidate, limits=limits) as other:
        sound = align_sound(one, other, alignment)
        areas = (signatures[0].area, signatures[1].area)
        curves = None
        if quality:
            curves = measure_quality(one, other, alignment, areas, every=every, vmaf=vmaf)
    changes = match_findings(reports[0].findings, reports[1].findings, alignment.to_base_s)
    verdict, reasons = verdict_of(changes, alignment, sound)
    return Comparison(
        base=reports[0],
        candidate=reports[1],
        alignment=alignment,
        sound=sound,
        quality=curves,
        findings=tuple(changes),
        facts=differing(reports[0].asset, reports[1].asset),
        verdict=verdict,
        reasons=reasons,
    )


def _signatures(
    media: MediaLike, name: str, limits: Limits, progress: Callable[[float], None]
) -> Signatures:
    with open_media(media, limits=limits) as reader:
        if reader.info.video is None:
            raise NotComparableError(f"the {name} has no video to align: {reader.info.uri}")
        return read_signatures(reader, progress=progress)


def verdict_of(
    changes: Sequence[FindingChange], alignment: Alignment | None, sound: SoundAlignment | None
) -> tuple[PairVerdict, tuple[str, ...]]:
    """Returns the verdict on a candidate, and its reasons, the worse ones first."""
    worse: list[str] = []
    better: list[str] = []
    for status, printed, into in (
        ("new", "new", worse),
        ("worse", "worse", worse),
        ("fixed", "fixed", better),
        ("better", "milder", better),
    ):
        count = sum(c.status == status and c.finding.severity != "minor" for c in changes)
        if count:
            into.append(f"{count} {printed} finding{'s' * (count > 1)} of major severity or more")
    if alignment is not None:
        worse += _timing(alignment)
    offset_ms = None if sound is None else sound.offset_ms
    if offset_ms is not None and not _EARLY_MS <= offset_ms <= _LATE_MS:
        later = "later" if offset_ms > 0 else "earlier"
        worse.append(f"sound {abs(offset_ms):.0f} ms {later} against the frame")
    if worse:
        return "worse", (*worse, *better)
    return ("better", tuple(better)) if better else ("no difference seen", ())


def _timing(alignment: Alignment) -> list[str]:
    found: list[str] = []
    if alignment.dropped or alignment.doubled:
        found.append(f"{len(alignment.dropped)} frames dropped, {len(alignment.doubled)} doubled")
    held = [edit for edit in alignment.edits if edit.kind == "held"]
    if held:
        found.append(f"stands still {len(held)} time{'s' * (len(held) > 1)}")
    return found


def differing(base: Any, candidate: Any, prefix: str = "") -> tuple[tuple[str, Any, Any], ...]:
    """Returns the facts of two assets that differ, by their path."""
    found: list[tuple[str, Any, Any]] = []
    for name in sorted({*base, *candidate} - {"uri"}):
        one, other = base.get(name), candidate.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            found += differing(one, other, f"{prefix}{name}.")
        elif one != other:
            found.append((prefix + name, one, other))
    return tuple(found)
