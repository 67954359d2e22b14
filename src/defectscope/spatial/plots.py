"""Small plots as SVG: levels over frequency, and over direction."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from defectscope.spatial.arrays import Reals

_COLOURS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#0a7ea4", "#bf3989", "#57606a")
_WIDTH, _HEIGHT = 760, 300
_LEFT, _TOP, _RIGHT, _BOTTOM = 48, 12, 130, 34
_TICKS_HZ = (50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000)
_FLOOR_DB = -40.0


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A line of a plot.

    Attributes:
        name: For the legend.
        x: Frequencies in hertz, or directions in degrees, (points,).
        y: Levels, decibels, (points,).
    """

    name: str
    x: Reals
    y: Reals


def frequency_plot(curves: Sequence[Curve], span_db: tuple[float, float], unit: str) -> str:
    """Returns levels over frequency as SVG.

    Args:
        curves: At least one.
        span_db: Lowest and highest level shown.
        unit: Name on the vertical axis.
    """
    low_hz, high_hz = float(curves[0].x[0]), float(curves[0].x[-1])
    low_db, high_db = span_db

    def across(hz: Reals | float) -> Reals:
        share = np.log(np.asarray(hz) / low_hz) / np.log(high_hz / low_hz)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def down(level_db: Reals | float) -> Reals:
        share = (high_db - np.clip(np.asarray(level_db), low_db, high_db)) / (high_db - low_db)
        return _TOP + share * (_HEIGHT - _TOP - _BOTTOM)

    parts: list[str] = []
    for hz in _TICKS_HZ:
        if low_hz <= hz <= high_hz:
            x = float(across(hz))
            label = f"{hz // 1000}k" if hz >= 1000 else str(hz)
            parts.append(_line(x, _TOP, x, _HEIGHT - _BOTTOM))
            parts.append(_text(x, _HEIGHT - _BOTTOM + 18, label, "middle"))
    for level in np.arange(np.ceil(low_db / 10) * 10, high_db + 0.1, 10):
        y = float(down(float(level)))
        parts.append(_line(_LEFT, y, _WIDTH - _RIGHT, y))
        parts.append(_text(_LEFT - 6, y + 4, f"{level:.0f}", "end"))
    parts.append(_text(_WIDTH - _RIGHT, _HEIGHT - 4, f"Hz, {unit}", "end"))
    for number, curve in enumerate(curves):
        points = zip(across(curve.x), down(curve.y), strict=True)
        parts.append(_path([(float(x), float(y)) for x, y in points], number))
        parts.append(_legend(_WIDTH - _RIGHT + 12, _TOP + 14 + 18 * number, curve.name, number))
    return _svg(_WIDTH, _HEIGHT, parts)


def polar_plot(curves: Sequence[Curve]) -> str:
    """Returns levels over direction as SVG, ahead at the top, left at the left."""
    size, radius = 420, 170.0
    middle = size / 2
    parts: list[str] = []
    for level in (0, -10, -20, -30):
        reach = radius * (level - _FLOOR_DB) / -_FLOOR_DB
        parts.append(
            f"<circle cx='{middle}' cy='{middle}' r='{reach:.1f}' fill='none' stroke='#ccc'/>"
        )
        parts.append(_text(middle + 3, middle - reach - 3, f"{level} dB", "start"))
    for angle in range(0, 360, 45):
        turn = np.radians(angle)
        end_x, end_y = middle - radius * np.sin(turn), middle - radius * np.cos(turn)
        parts.append(_line(middle, middle, float(end_x), float(end_y)))
        shown = angle if angle <= 180 else angle - 360
        far = radius + 16
        x, y = middle - far * np.sin(turn), middle - far * np.cos(turn) + 4
        parts.append(_text(float(x), float(y), f"{shown}°", "middle"))
    for number, curve in enumerate(curves):
        reach = radius * np.maximum(curve.y - _FLOOR_DB, 0) / -_FLOOR_DB
        turn = np.radians(curve.x)
        points = zip(middle - reach * np.sin(turn), middle - reach * np.cos(turn), strict=True)
        parts.append(_path([(float(x), float(y)) for x, y in points], number))
        parts.append(_legend(size + 12, 24 + 18 * number, curve.name, number))
    return _svg(size + _RIGHT, size, parts)


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    return (
        f"<svg viewBox='0 0 {width:g} {height:g}' font-size='12' role='img' "
        f"xmlns='http://www.w3.org/2000/svg'>{''.join(parts)}</svg>"
    )


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='#ddd'/>"


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='#444'>"
        f"{html.escape(text)}</text>"
    )


def _legend(x: float, y: float, name: str, number: int) -> str:
    colour = _COLOURS[number % len(_COLOURS)]
    return f"<rect x='{x}' y='{y - 9}' width='12' height='4' fill='{colour}'/>" + _text(
        x + 18, y, name, "start"
    )


def _path(points: Sequence[tuple[float, float]], number: int) -> str:
    colour = _COLOURS[number % len(_COLOURS)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f"<polyline points='{line}' fill='none' stroke='{colour}' stroke-width='1.8'/>"
