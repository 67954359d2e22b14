"""Sizes and rates as they are written on a command line."""

from __future__ import annotations

from fractions import Fraction

from defectscope.errors import InvalidParameterError


def size_of(text: str) -> tuple[int, int]:
    """Returns width and height of `WIDTHxHEIGHT`.

    Raises:
        InvalidParameterError: It is none.
    """
    width, found, height = text.partition("x")
    if not (found and width.isdecimal() and height.isdecimal() and len(text) <= 20):
        raise InvalidParameterError(f"--size takes WIDTHxHEIGHT, not {text!r}")
    return int(width), int(height)


def rate_of(text: str) -> Fraction:
    """Returns a rate that is written as a number or a fraction.

    Raises:
        InvalidParameterError: It is none.
    """
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise InvalidParameterError(f"--rate takes a number or a fraction, not {text!r}") from None
