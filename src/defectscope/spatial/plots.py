"""Small plots as SVG: levels over frequency, and over direction."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from defectscope.spatial.arrays import Reals

# How many classes `c0`, `c1`, ... of colours a page defines.
COLOURS = 8
_WIDTH, _HEIGHT = 760, 300
_LEFT, _TOP, _RIGHT, _BOTTOM = 52, 30, 14, 50
# Curves that coincide are told apart: the later one has gaps.
_DASHES = ("", "9 5", "3 4", "12 4 3 4")
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


def frequency_plot(curves: Sequence[Curve], span_db: tuple[float, float], axis: str) -> str:
    """Returns levels over frequency as SVG with a legend.

    Args:
        curves: At least one.
        span_db: Lowest and highest level shown.
        axis: What the vertical axis shows.
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
            parts.append(_text(x, _HEIGHT - _BOTTOM + 20, label, "middle"))
    for level in np.arange(np.ceil(low_db / 10) * 10, high_db + 0.1, 10):
        y = float(down(float(level)))
        parts.append(_line(_LEFT, y, _WIDTH - _RIGHT, y))
        parts.append(_text(_LEFT - 6, y + 4, f"{level:.0f}", "end"))
    parts.append(_text(_WIDTH - _RIGHT, _HEIGHT - 6, "frequency, Hz", "end"))
    parts.append(_text(4, 18, axis, "start"))
    for number, curve in enumerate(curves):
        points = zip(across(curve.x), down(curve.y), strict=True)
        parts.append(_path([(float(x), float(y)) for x, y in points], number))
    return _legend(curves) + _svg(_WIDTH, _HEIGHT, parts)


def polar_plot(curves: Sequence[Curve]) -> str:
    """Returns levels over direction as SVG with a legend, ahead at the top, left at the left."""
    size, radius = 440, 170.0
    middle = size / 2
    parts: list[str] = []
    for level in (0, -10, -20, -30):
        reach = radius * (level - _FLOOR_DB) / -_FLOOR_DB
        parts.append(
            f"<circle cx='{middle}' cy='{middle}' r='{reach:.1f}' fill='none' class='grid'/>"
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
    return _legend(curves) + _svg(size, size, parts, "round")


def _svg(width: float, height: float, parts: Sequence[str], kind: str = "wide") -> str:
    return (
        f"<svg viewBox='0 0 {width:g} {height:g}' font-size='13' class='{kind}' role='img' "
        f"xmlns='http://www.w3.org/2000/svg'>{''.join(parts)}</svg>"
    )


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' class='grid'/>"


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}'>{html.escape(text)}</text>"


def _legend(curves: Sequence[Curve]) -> str:
    """Returns the names of curves beside samples of their lines, as HTML."""
    entries = "".join(
        f"<li><svg class='key' viewBox='0 0 34 8'>{_path([(0.0, 4.0), (34.0, 4.0)], number)}</svg>"
        f"{html.escape(curve.name)}</li>"
        for number, curve in enumerate(curves)
    )
    return f"<ul class='legend'>{entries}</ul>"


def _path(points: Sequence[tuple[float, float]], number: int) -> str:
    colour = number % COLOURS
    dashes = _DASHES[number % len(_DASHES)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f"<polyline points='{line}' fill='none' class='c{colour}' stroke-width='2' "
        f"stroke-dasharray='{dashes}'/>"
    )
