"""What TTML's styles and regions say about times and text: what is hidden, ruby, and where it is.

Source: W3C TTML2, sections 10.2.33 (ruby), 8.4.1.3 (referential and chained styles) and 11.1
(regions).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_GEOMETRY = ("origin", "position", "extent", "displayAlign")
_KEPT = (*_GEOMETRY, "ruby", "display", "visibility", "opacity", "textAlign")
_HIDDEN = (("display", "none"), ("visibility", "hidden"))
HIDING = frozenset({"display", "visibility", "opacity"})
# Ruby annotations are small letters beside the text, and delimiters stand in for them.
_ANNOTATIONS = frozenset({"text", "textContainer", "delimiter"})
_MAX_CHAIN = 16
_MAX_STYLES = 20_000


def style_of(attributes: Mapping[str, str]) -> dict[str, str]:
    """Returns the style attributes that matter here, by local name."""
    return {key: attributes[key].strip() for key in _KEPT if key in attributes}


def is_annotation(style: Mapping[str, str]) -> bool:
    """Tells whether text is a ruby annotation."""
    return style.get("ruby") in _ANNOTATIONS


def is_hidden(style: Mapping[str, str]) -> bool:
    """Tells whether text is never drawn."""
    if any(style.get(key) == value for key, value in _HIDDEN):
        return True
    try:
        return float(style.get("opacity", 1)) <= 0
    except ValueError:
        return False


@dataclass
class Sheet:
    """The styles and regions of a document's head.

    Attributes:
        styles: Own attributes and references, by identifier.
        regions: Resolved attributes by identifier.
    """

    styles: dict[str, tuple[dict[str, str], tuple[str, ...]]] = field(
        default_factory=dict[str, tuple[dict[str, str], tuple[str, ...]]]
    )
    regions: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    def add_style(self, attributes: Mapping[str, str]) -> None:
        """Takes a `style` element of the head."""
        if "id" in attributes and len(self.styles) < _MAX_STYLES:
            references = tuple(attributes.get("style", "").split()[:_MAX_CHAIN])
            self.styles[attributes["id"]] = (style_of(attributes), references)

    def add_region(self, attributes: Mapping[str, str]) -> None:
        """Takes a `region` element."""
        if "id" in attributes and len(self.regions) < _MAX_STYLES:
            self.regions[attributes["id"]] = self.resolve(attributes)

    def resolve(self, attributes: Mapping[str, str]) -> dict[str, str]:
        """Returns an element's style: its own attributes, then those it refers to."""
        out: dict[str, str] = {}
        seen: set[str] = set()
        waiting = attributes.get("style", "").split()[:_MAX_CHAIN]
        # Of several references the last one wins; chains may not loop.
        while waiting and len(seen) < _MAX_CHAIN:
            name = waiting.pop()
            if name in seen or name not in self.styles:
                continue
            seen.add(name)
            own, references = self.styles[name]
            out = {**own, **out}
            waiting += references
        return {**out, **style_of(attributes)}

    def place(self, region: str, style: Mapping[str, str]) -> str:
        """Returns a name for where text is drawn; equal names mean the same place.

        Args:
            region: Identifier of its region, empty for the default one.
            style: Style of its paragraph, which older documents place directly.
        """
        known = self.regions.get(region)
        source = style if "origin" in style else known or {}
        shape = [f"{key}:{source[key]}" for key in _GEOMETRY if key in source]
        return " ".join(shape) if shape else region
