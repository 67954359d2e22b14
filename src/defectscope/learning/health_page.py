"""The page of drift: each quantity's spread over the periods, alarms first. One file, no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from defectscope.learning.health import Health, Period

_WIDTH_PX, _HEIGHT_PX, _MARGIN_PX, _NAMES_PX = 340, 84, 8, 14
# Of a longer name the figure shows the beginning, and all of it on hovering.
_NAME_CHARACTERS = 10
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1b1f27;background:#fff;margin:2rem auto;
max-width:76rem;padding:0 1rem}h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .4rem}
.all{display:grid;grid-template-columns:repeat(auto-fill,minmax(350px,1fr));gap:1rem}
figure{margin:0;border:1px solid #d6dae2;border-radius:6px;padding:.5rem .6rem}
figure.alarm{border-color:#b3261e;border-width:2px}
figcaption{font-size:.85rem;display:flex;justify-content:space-between;gap:.6rem}
figcaption b{overflow-wrap:anywhere}.alarm b::before{content:"\\25B2 ";color:#b3261e}
small{color:#4b5563}svg{display:block;width:100%;height:auto}
table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left}
@media(prefers-color-scheme:dark){body{background:#12151b;color:#e6e9ef}figure{border-color:#39414f}
small{color:#a5adba}figure.alarm{border-color:#ff8a80}.alarm b::before{color:#ff8a80}}
"""


def page(reference: Period, periods: Mapping[str, Period], found: Sequence[Health]) -> str:
    """Returns the page.

    Args:
        reference: What the periods are compared with.
        periods: By name, in order.
        found: What `compare_periods` says of them.
    """
    alarms = {
        (own.period, own.title_class, own.detector, q.name): q
        for own in found
        for q in own.quantities
    }
    groups = sorted({key for period in periods.values() for key in period})
    count = sum(q.alarm for q in alarms.values())
    names = ", ".join(escape(name) for name in periods)
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Drift</title>"
        '<meta name=viewport content="width=device-width">'
        f"<style>{_STYLE}</style><h1>Drift of detectors</h1>"
        f"<p>{_counted(count)} in {names}. Each figure shows the tenth, the median and the "
        "ninetieth hundredth of a quantity over titles: the reference first, then the periods. "
        "Index: population stability index, an alarm from 0.25 on where the two-sample test agrees "
        "(p below 0.01, corrected).</p>",
    ]
    ringing = {(kind, detector) for (_, kind, detector, _), q in alarms.items() if q.alarm}
    for kind, detector in sorted(groups, key=lambda key: key not in ringing):
        figures = [
            _figure(reference, periods, alarms, (kind, detector), quantity)
            for quantity in _quantities(periods, (kind, detector))
        ]
        # Alarms come first; the rest keep the order of their names.
        figures.sort(key=lambda pair: not pair[0])
        titles = " + ".join(
            str(max((len(v) for v in p.get((kind, detector), {}).values()), default=0))
            for p in (reference, *periods.values())
        )
        parts.append(
            f"<h2>{escape(detector)}, {escape(kind)} <small>{titles} titles</small></h2>"
            f"<div class=all>{''.join(text for _, text in figures)}</div>"
        )
    return "".join(parts) + "\n"


def _counted(count: int) -> str:
    return "No alarm" if not count else "One alarm" if count == 1 else f"{count} alarms"


def _quantities(periods: Mapping[str, Period], key: tuple[str, str]) -> list[str]:
    names = {name for period in periods.values() for name in period.get(key, {})}
    # Scores are what a reader knows; they come before what was measured.
    return sorted(names, key=lambda name: (not name.startswith("score "), name))


def _figure(
    reference: Period,
    periods: Mapping[str, Period],
    alarms: Mapping[tuple[str, str, str, str], object],
    key: tuple[str, str],
    quantity: str,
) -> tuple[bool, str]:
    rows = [("reference", reference.get(key, {}).get(quantity, []))]
    rows += [(name, period.get(key, {}).get(quantity, [])) for name, period in periods.items()]
    known = [alarms.get((name, *key, quantity)) for name in periods]
    ringing = [bool(getattr(k, "alarm", False)) for k in known]
    last = known[-1] if known else None
    index = getattr(last, "index", None)
    text = "too few titles" if index is None else f"index {index:.2f}"
    head = (
        f"<figcaption><b>{escape(quantity.replace('_', ' '))}</b><small>{text}</small></figcaption>"
    )
    mark = " class=alarm" if any(ringing) else ""
    return any(ringing), f"<figure{mark}>{head}{_spread(rows, [False, *ringing])}</figure>"


def _spread(rows: Sequence[tuple[str, Sequence[float]]], ringing: Sequence[bool]) -> str:
    """Returns bars from the tenth to the ninetieth hundredth, the median across, one a period."""
    marks = [np.quantile(v, [0.1, 0.5, 0.9]) if len(v) else None for _, v in rows]
    known = [m for m in marks if m is not None]
    if not known:
        return ""
    low, high = min(float(m[0]) for m in known), max(float(m[2]) for m in known)
    span = high - low or 1.0

    def y(value: float) -> float:
        return _MARGIN_PX + (high - value) / span * (_HEIGHT_PX - 2 * _MARGIN_PX)

    step = _WIDTH_PX / len(rows)
    parts: list[str] = []
    for place, ((name, values), own) in enumerate(zip(rows, marks, strict=True)):
        if own is None:
            continue
        x, wide = (place + 0.5) * step, min(step * 0.5, 40)
        colour = "#6b7280" if place == 0 else "#b3261e" if ringing[place] else "#2563a8"
        top, middle, bottom = y(float(own[2])), y(float(own[1])), y(float(own[0]))
        label = f"{name}: {own[0]:.3g} to {own[2]:.3g}, median {own[1]:.3g}, {len(values)} titles"
        parts.append(
            f"<g><title>{escape(label)}</title>"
            f'<rect x="{x - wide / 2:.1f}" y="{top:.1f}" width="{wide:.1f}" '
            f'height="{max(bottom - top, 1.5):.1f}" rx="2" fill="{colour}" fill-opacity=".35"/>'
            f'<line x1="{x - wide / 2:.1f}" x2="{x + wide / 2:.1f}" y1="{middle:.1f}" '
            f'y2="{middle:.1f}" stroke="{colour}" stroke-width="2.5"/>'
            f'<text x="{x:.1f}" y="{_HEIGHT_PX + _NAMES_PX - 4}" text-anchor="middle" '
            f'font-size="11" fill="currentColor">{escape(name[:_NAME_CHARACTERS])}</text></g>'
        )
    text = f"{low:.3g} to {high:.3g}"
    return (
        f'<svg viewBox="0 0 {_WIDTH_PX} {_HEIGHT_PX + _NAMES_PX}" role=img>{"".join(parts)}</svg>'
        f"<small>{text}</small>"
    )
