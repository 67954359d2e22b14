"""Reads the W3C's test documents for IMSC, and compares what is on screen with ttconv.

    python benchmarks/imsc.py FOLDER [--list]

FOLDER holds the documents (https://github.com/w3c/imsc-tests), which are no part of this project.
In the middle of every interval in which ttconv's screen stays the same, the words of all captions
that `read_captions` has there must be its words, in any order: where they stand is not compared.
"""

from __future__ import annotations

import argparse
import collections
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path
from typing import Any

from ttconv.imsc.reader import to_model
from ttconv.isd import ISD
from ttconv.model import Br, Rb, Rt, Text

from defectscope.errors import DefectscopeError
from defectscope.media.cues import Captions
from defectscope.media.sidecar import read_captions

# Past the last change the screen stays as it is: looked at so much later.
_AFTER_S = 1


def words_by_ttconv(path: Path) -> list[tuple[float, list[str]]]:
    """Returns instants and the words on screen then, as ttconv has them."""
    model = to_model(ET.parse(path))
    times = list(ISD.significant_times(model))
    edges = [*times, times[-1] + 2 * _AFTER_S] if times else []
    found: list[tuple[float, list[str]]] = []
    for low, high in pairwise(edges):
        isd = ISD.from_model(model, low)
        words: list[str] = []
        for region in () if isd is None else isd.iter_regions():
            text = "".join(_text_of(region))
            words += text.split()
        found.append((float(low + high) / 2, sorted(words)))
    return found


def _text_of(element: Any) -> list[str]:
    if isinstance(element, Text):
        return [element.get_text()]
    if isinstance(element, Br | Rb):
        inner = [part for child in element for part in _text_of(child)]
        return ["\n", *inner] if isinstance(element, Br) else inner
    if isinstance(element, Rt):
        return []
    parts = [part for child in element for part in _text_of(child)]
    # Paragraphs and divisions stand apart from each other.
    return [*parts, "\n"] if type(element).__name__ in ("P", "Div") else parts


def words_here(captions: Captions, at_s: float) -> list[str]:
    """Returns the words on screen at an instant, as this project has them."""
    shown = [c for c in captions.cues if c.start_s <= at_s < c.end_s]
    return sorted(word for cue in shown for line in cue.lines for word in line.split())


def compared(path: Path) -> tuple[str, str]:
    """Returns what became of a document, and where it first differs."""
    try:
        captions = read_captions(path)
    except DefectscopeError as error:
        return f"refused ({error.code})", str(error)
    kind = "read" if captions.cues else "no caption"
    try:
        screens = words_by_ttconv(path)
    except Exception as error:
        # What ttconv does not read cannot be compared.
        return f"{kind}, not compared", f"{type(error).__name__}: {error}"
    for at_s, words in screens:
        own = words_here(captions, at_s)
        if own != words:
            return f"{kind}, other words than ttconv", f"{at_s:.3f} s: {own} instead of {words}"
    faults = ", with a finding" if captions.faults else ""
    return f"{kind}, the same words as ttconv{faults}", ""


def main() -> None:
    """Prints how many documents became what, and those that differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--list", action="store_true", help="name those that differ")
    asked = parser.parse_args()
    counted: collections.Counter[str] = collections.Counter()
    paths = sorted(p for p in asked.folder.rglob("*") if p.suffix in (".ttml", ".xml"))
    for path in paths:
        outcome, detail = compared(path)
        counted[outcome] += 1
        if asked.list and detail:
            print(f"{path.relative_to(asked.folder)}: {outcome}: {detail}"[:300])
    print(f"{len(paths)} documents")
    for outcome, count in sorted(counted.items()):
        print(f"{count:5d} {outcome}")


if __name__ == "__main__":
    main()
