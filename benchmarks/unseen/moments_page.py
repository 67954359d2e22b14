"""What was found of defects of a moment, by way and split, beside peers, and what else was."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from scoring import is_known, matched

from defectscope.findings import Interval
from unseen.page import wilson

Row = Mapping[str, Any]

# What a way of making truly brings with it, stated before anything ran: (defect made, way or "*",
# defect found). A clip in which only these are found beside its own is not counted.
BRINGS: frozenset[tuple[str, str, str]] = frozenset(
    {
        # The noise that goes on over the pause is laid over the whole clip.
        ("freeze", "noisy_pause", "video_noise"),
        # One side is 2 dB down while it is inverted.
        ("phase_inversion", "weaker_inverted", "channel_imbalance"),
        # Between the edges of a fader's move, one side falls alone.
        ("channel_missing", "channel_pulled_down", "channel_imbalance"),
        # Torn frames show part of the frame late, and go on with a leap.
        ("tearing", "*", "stutter"),
    }
)

# Ways after whose interval the programme is shown from its beginning again: what the clean clip has
# there is the recording's own, too.
SHOWN_AGAIN: frozenset[tuple[str, str]] = frozenset({("black_frames", "gap_of_the_edit")})


def intervals(row: Row, defect: str) -> list[Interval]:
    """Returns what was found of a defect in a clip."""
    return [Interval(a, b) for name, a, b, _ in row["found"] if name == defect and b > a]


def truth_of(row: Row) -> list[Interval]:
    """Returns what was made in a clip."""
    return [Interval(*each) for each in row["truth"]]


def _name(*, unseen: bool) -> str:
    return "unseen" if unseen else "seen"


def _counts(part: Sequence[Row], defect: str, peer: bool = False) -> tuple[int, int, int]:
    """Returns events found, made and told."""
    hits = made = told = 0
    for row in part:
        found = (
            [Interval(a, b) for a, b in row["peer"] if b > a] if peer else intervals(row, defect)
        )
        truth = truth_of(row)
        hits += len(matched(truth, found))
        made += len(truth)
        told += len(found)
    return hits, made, told


def _f1(hits: int, made: int, told: int) -> str:
    return f"{2 * hits / (made + told):.2f}" if made + told else "-"


def by_way(rows: Sequence[Row], defects: Sequence[str]) -> list[str]:
    """Returns a table: events found and F1 by defect, way and split, and those of the peer."""
    out = [
        "| defect | way | recordings | clips | events found | F1 | the peer's events | its F1 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for defect in defects:
        own = [row for row in rows if row["defect"] == defect]
        for way in [*sorted({row["way"] for row in own}), "all"]:
            for unseen in (False, True):
                part = [r for r in own if way in (r["way"], "all") and r["unseen"] == unseen]
                if not part:
                    continue
                counts = _counts(part, defect)
                asked = [r for r in part if r.get("peer") is not None]
                peer = _counts(asked, defect, peer=True)
                shown = f"{wilson(*peer[:2])} | {_f1(*peer)}" if asked else "- | -"
                out.append(
                    f"| {defect} | {way} | {_name(unseen=unseen)} | {len(part)} "
                    f"| {wilson(*counts[:2])} | {_f1(*counts)} | {shown} |"
                )
    return out


def goals(rows: Sequence[Row], defects: Sequence[str]) -> list[str]:
    """Returns a table of unseen ways on unseen recordings: recall, F1, the worst way."""
    out = [
        "| defect | ways | clips | recall | F1 | worst way | both at 0.9 |",
        "|---|---|---|---|---|---|---|",
    ]
    for defect in defects:
        own = [row for row in rows if row["defect"] == defect and row["unseen"]]
        if not own:
            continue
        hits, made, told = _counts(own, defect)
        ways = {way: [r for r in own if r["way"] == way] for way in sorted({r["way"] for r in own})}
        worst = min(ways, key=lambda way: _share(_counts(ways[way], defect)))
        count = _counts(ways[worst], defect)
        f1 = 2 * hits / (made + told) if made + told else 0.0
        reached = "yes" if made and hits / made >= 0.9 and f1 >= 0.9 else "no"
        out.append(
            f"| {defect} | {len(ways)} | {len(own)} | {wilson(hits, made)} | {f1:.2f} "
            f"| {worst}: {count[0]} of {count[1]}, {count[2]} told | {reached} |"
        )
    return out


def _share(counts: tuple[int, int, int]) -> float:
    hits, made, told = counts
    return 2 * hits / (made + told) if made + told else 1.0


def errors(rows: Sequence[Row]) -> list[str]:
    """Returns a line for each clip in which something was missed or told that was not made."""
    out: list[str] = []
    for row in rows:
        defect = row["defect"]
        truth, found = truth_of(row), intervals(row, defect) if defect else []
        pairs = matched(truth, found)
        others = sorted({name for name, *_ in row["found"] if name != defect})
        if len(pairs) < len(truth) or len(found) > len(pairs) or others:
            spans = ", ".join(f"{a:.2f}-{b:.2f}" for a, b in row["truth"]) or "nothing"
            told = ", ".join(f"{name} {a:.2f}-{b:.2f}" for name, a, b, _ in row["found"])
            split = _name(unseen=row["unseen"])
            out.append(f"- {row['file']} ({split}): made {spans}; found {told or 'nothing'}")
    return out


def confusion(
    rows: Sequence[Row], names: Sequence[str], own: Mapping[str, Collection[str]] | None = None
) -> list[str]:
    """Returns the matrix of what was made against what else was found, in clips.

    A finding that the clean clip of the same recording has as well is the recording's own, and so
    is a defect that the recording was seen to have from end to end.

    Args:
        rows: All clips.
        names: Defects that could be found, in the order of the columns.
        own: Defects that recordings have throughout, by file name.
    """
    own = own or {}
    clean: dict[str, list[Any]] = {}
    for row in rows:
        if not row["defect"]:
            clean.setdefault(row["recording"], []).extend(row["found"])
    made = [*sorted({r["defect"] for r in rows if r["defect"]}), ""]
    table: dict[str, dict[str, int]] = {}
    wrong: dict[str, int] = {}
    brought: dict[str, int] = {}
    totals = {defect: sum(r["defect"] == defect for r in rows) for defect in made}
    for row in rows:
        defect = row["defect"]
        found = {
            name
            for name, start_s, end_s, _ in row["found"]
            if name != defect
            and name not in own.get(row["recording"], ())
            and not (defect and _known_of(row, name, start_s, end_s, clean))
        }
        meant = {n for n in found if is_brought(defect, row["way"], n)}
        brought[defect] = brought.get(defect, 0) + bool(meant)
        wrong[defect] = wrong.get(defect, 0) + bool(found - meant)
        for name in found - meant:
            cells = table.setdefault(defect, {})
            cells[name] = cells.get(name, 0) + 1
    columns = [n for n in names if any(n in cells for cells in table.values())]
    out = [
        f"| made | clips | with another finding | {' | '.join(columns)} | brought, as stated |",
        f"|---|---|---|{'---|' * len(columns)}---|",
    ]
    for defect in made:
        cells = table.get(defect, {})
        numbers = " | ".join(str(cells[n]) if n in cells else "" for n in columns)
        out.append(
            f"| {defect or 'nothing'} | {totals[defect]} "
            f"| {wilson(wrong.get(defect, 0), totals[defect])} | {numbers} "
            f"| {brought.get(defect, 0) or ''} |"
        )
    count = sum(totals[d] for d in made if d)
    others = sum(wrong.get(d, 0) for d in made if d)
    return [
        *out,
        "",
        f"Of all clips with a defect: {wilson(others, count)} with a finding of another.",
    ]


def is_brought(defect: str, way: str, name: str) -> bool:
    """Tells whether a way of making a defect truly brings another one."""
    return (defect, way, name) in BRINGS or (defect, "*", name) in BRINGS


def _known_of(
    row: Row, name: str, start_s: float, end_s: float, clean: Mapping[str, Sequence[Any]]
) -> bool:
    own = clean.get(row["recording"], ())
    begins = [0.0]
    if (row["defect"], row["way"]) in SHOWN_AGAIN and row["truth"]:
        begins.append(row["truth"][-1][1])
    return any(_of_its_own(name, start_s - at, end_s - at, own) for at in begins)


def _of_its_own(name: str, start_s: float, end_s: float, clean: Sequence[Any]) -> bool:
    known = [Interval(a, b) for own, a, b, _ in clean if own == name and b > a]
    return end_s > start_s and is_known(Interval(start_s, end_s), known)
