"""The delivery rules: each parameter with its range, unit, default and meaning."""

from __future__ import annotations

from typing import Annotated

from defectscope.parameters import number, parameters


@parameters
class Params:
    """The delivery rules, and how far captions are searched for."""

    max_characters_per_s: Annotated[
        float,
        number(
            1,
            100,
            "Reading speed. Source: Netflix Timed Text Style Guide, 20 for adults.",
            "characters/s",
        ),
    ] = 20.0
    max_line_characters: Annotated[
        int, number(1, 500, "Characters in a line. Source: Netflix, 42; the BBC's are 37.")
    ] = 42
    max_lines: Annotated[
        int, number(1, 20, "Lines of one caption. Source: Netflix and BBC, 2.")
    ] = 2
    min_gap_s: Annotated[
        float,
        number(
            0, 10, "Time between two captions that do not touch. Source: Netflix, two frames.", "s"
        ),
    ] = 0.079
    min_duration_s: Annotated[
        float,
        number(
            0,
            60,
            "Shortest caption. Guides ask for 5/6 s to 1 s; below 0.6 s a word is missed.",
            "s",
        ),
    ] = 0.6
    max_duration_s: Annotated[
        float, number(0.1, 600, "Longest caption. Source: Netflix, 7 s.", "s")
    ] = 7.0
    min_overlap_s: Annotated[
        float, number(0, 10, "Two captions at once for a shorter time are taken for rounding.", "s")
    ] = 0.04
    max_late_s: Annotated[
        float,
        number(
            0.5,
            60,
            "Largest delay relative to the speech that is searched for, in both directions.",
            "s",
        ),
    ] = 8.0
