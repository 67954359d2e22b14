"""Prints comparisons as tables."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from defectscope.compare import Alignment, CatalogueComparison, Comparison

_COLOURS = {"worse": "red", "new": "red", "better": "green", "fixed": "green"}
_MAX_LISTED = 12


def print_comparison(found: Comparison, *, to_stderr: bool = False) -> None:
    """Prints alignment, measures, changed findings and the verdict."""
    console = Console(stderr=to_stderr)
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in _facts(found):
        facts.add_row(name, escape(value))
    console.print(facts)
    changed = [change for change in found.findings if change.status != "same"]
    if changed:
        table = Table(box=None, padding=(0, 2, 0, 0))
        for heading in ("status", "defect", "baseline", "candidate", "severity"):
            table.add_column(heading, no_wrap=heading in ("baseline", "candidate"))
        for change in changed:
            colour = _COLOURS.get(change.status, "default")
            table.add_row(
                f"[{colour}]{change.status}[/]",
                escape(change.finding.defect),
                _span(change.base),
                _span(change.candidate),
                change.finding.severity,
            )
        console.print(table)
    same = len(found.findings) - len(changed)
    console.print(f"{len(changed)} findings changed, {same} the same")
    _print_verdict(console, found.verdict, found.reasons)


def print_catalogue(found: CatalogueComparison, *, to_stderr: bool = False) -> None:
    """Prints a row per title, the tests over titles and the verdict."""
    console = Console(stderr=to_stderr)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("title", "verdict", "why"):
        table.add_column(heading)
    for title, one in found.comparisons.items():
        colour = _COLOURS.get(one.verdict, "default")
        table.add_row(escape(title), f"[{colour}]{one.verdict}[/]", escape("; ".join(one.reasons)))
    for title, error in found.failed.items():
        table.add_row(escape(title), f"[yellow]{error.code}[/]", escape(error.message))
    console.print(table)
    if found.unmatched:
        console.print(f"in one folder alone: {escape(', '.join(found.unmatched[:_MAX_LISTED]))}")
    if found.whole is not None:
        tests = Table(box=None, padding=(0, 2, 0, 0))
        for heading in ("findings of", "baseline", "candidate", "p (Holm)", "verdict"):
            tests.add_column(heading)
        for tested in (found.whole, *(t for t in found.detectors if t.base + t.candidate)):
            tests.add_row(
                tested.name,
                str(tested.base),
                str(tested.candidate),
                f"{tested.adjusted_p:.3f}",
                tested.verdict,
            )
        console.print(tests)
        change = found.whole.smallest_change
        seen = "not even a threefold rise" if change is None else f"a rise by {change:.0%}"
        console.print(f"with these titles {seen} would be seen in 8 of 10 catalogues")
    _print_verdict(console, found.verdict, ())


def _print_verdict(console: Console, verdict: str, reasons: tuple[str, ...]) -> None:
    colour = _COLOURS.get(verdict, "bold")
    why = f": {escape('; '.join(reasons))}" if reasons else ""
    console.print(f"[{colour}]{verdict}[/]{why}")


def _timing(aligned: Alignment) -> list[tuple[str, str]]:
    rows = [("offset", f"{aligned.offset_frames:+d} frames ({aligned.offset_s:+.3f} s)")]
    if abs(aligned.speed - 1.0) > 1e-4:
        rows.append(("speed", f"{aligned.speed:.4f}"))
    if aligned.rate_conversion:
        rows.append(("frame rate", "converted by repeating or leaving out frames"))
    for name, frames in (("dropped", aligned.dropped), ("doubled", aligned.doubled)):
        more = " ..." if len(frames) > _MAX_LISTED else ""
        if frames:
            listed = ", ".join(str(frame) for frame in frames[:_MAX_LISTED])
            rows.append((name, f"{len(frames)} frames: {listed}{more}"))
    return rows + [
        (edit.kind, f"{edit.frames} frames at frame {edit.base_frame} of the baseline")
        for edit in aligned.edits[:_MAX_LISTED]
    ]


def _facts(found: Comparison) -> list[tuple[str, str]]:
    rows = [] if found.alignment is None else _timing(found.alignment)
    if found.sound is not None and found.sound.offset_ms is not None:
        drift = found.sound.drift_ppm
        drifting = "" if drift is None else f", drift {drift:+.0f} ppm"
        rows.append(("sound", f"{found.sound.offset_ms:+.1f} ms{drifting}"))
    if found.quality is not None:
        measured = found.quality.to_dict()
        units = {"psnr_db": " dB", "ssim": "", "xpsnr_db": " dB", "vmaf": "", "cambi": ""}
        for name, unit in ((name, units[name]) for name in units if name in measured):
            values = measured[name]
            text = f"mean {values['mean']:.4g}{unit}, worst 5 % below {values['p5']:.4g}{unit}"
            rows.append((name.split("_")[0].upper(), text))
    rows += [(f"differs: {n}", f"{b} -> {c}") for n, b, c in found.facts]
    return rows


def _span(finding: Any) -> str:
    if finding is None:
        return "-"
    if finding.start_timecode is not None:
        return f"{finding.start_timecode} - {finding.end_timecode}"
    return f"{finding.start_s:.2f} - {finding.end_s:.2f} s"
