"""The interval in which a TTML element is active, from its parent, its siblings and its content.

Source: W3C TTML2, section 12.2; SMIL 3.0 for par and seq.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Times:
    """The timing attributes of an element.

    Attributes:
        begin_s: Against the parent's begin, or the previous sibling's end in a sequence.
        end_s: Likewise.
        long_s: `dur`.
        in_sequence: Its children follow each other (`timeContainer="seq"`).
        broken: One of them is no time.
    """

    begin_s: float | None
    end_s: float | None
    long_s: float | None
    in_sequence: bool
    broken: bool

    @property
    def stated(self) -> bool:
        """Tells whether the element says anything about its own times."""
        return any(time is not None for time in (self.begin_s, self.end_s, self.long_s))


@dataclass
class Timed:
    """An open element.

    Attributes:
        tag: `body`, `div`, `p`, `span`, `br` or `image`.
        times: Its attributes.
        parent: The element around it.
        line: Where it begins in the file, 1-based.
        style: Its resolved style.
        region: Identifier of its region, inherited.
        is_image: It shows an image.
        never: Nothing of it is ever active, because something around it is not.
        broken: Its times, or those of something around it, cannot be read.
        hides: Its own style hides it, and no animation has changed that.
        begin_s: When it becomes active.
        open_end_s: Latest instant at which it can be active, as far as its start tells.
        end_s: When it ends; right once it is closed.
        visible_from_s: Before this, animation hides it.
        visible_to_s: After this too.
    """

    tag: str
    times: Times
    parent: Timed | None
    line: int
    style: Mapping[str, str]
    region: str = ""
    is_image: bool = False
    never: bool = False
    broken: bool = False
    hides: bool = False
    begin_s: float = 0.0
    open_end_s: float = math.inf
    end_s: float = math.inf
    visible_from_s: float = -math.inf
    visible_to_s: float = math.inf
    _next_s: float = 0.0
    _latest_s: float = 0.0
    _has_text: bool = False

    def __post_init__(self) -> None:
        base_s = 0.0
        if self.parent is not None:
            base_s = self.parent.next_base_s
            self.open_end_s = self.parent.open_end_s
        self.begin_s = base_s + (self.times.begin_s or 0.0)
        self.broken = self.times.broken
        if self.parent is not None:
            self.broken = self.broken or self.parent.broken
            self.never = self.parent.never or self.begin_s >= self.open_end_s
        if self.times.end_s is not None:
            self.open_end_s = min(self.open_end_s, base_s + self.times.end_s)
        if self.times.long_s is not None:
            self.open_end_s = min(self.open_end_s, self.begin_s + self.times.long_s)
        self._next_s = self._latest_s = self.begin_s

    @property
    def next_base_s(self) -> float:
        """The instant to which the next child's times refer."""
        return self._next_s if self.times.in_sequence else self.begin_s

    def take_text(self) -> bool:
        """Notes text of its own, and tells whether it is ever active.

        In a sequence the duration of text that is in no span is zero.
        """
        self._has_text = True
        return not self.never and not self.times.in_sequence

    def animate(self, times: Times, hides: bool) -> None:
        """Takes a `set` that shows or hides the element for a while.

        What is shown, or hidden, once only is followed; the instants between are not.
        """
        begin_s = self.begin_s + (times.begin_s or 0.0)
        if hides and times.end_s is None and times.long_s is None:
            self.open_end_s = min(self.open_end_s, begin_s)
        elif self.hides and not hides:
            self.hides = False
            self.visible_from_s = max(self.visible_from_s, begin_s)
            if times.end_s is not None:
                self.visible_to_s = min(self.visible_to_s, self.begin_s + times.end_s)
            if times.long_s is not None:
                self.visible_to_s = min(self.visible_to_s, begin_s + times.long_s)

    def visible(self) -> tuple[float, float] | None:
        """Returns the interval in which its own text is drawn, None for never."""
        start_s, end_s = self.begin_s, self.open_end_s
        at: Timed | None = self
        while at is not None:
            if at.hides:
                return None
            start_s, end_s = max(start_s, at.visible_from_s), min(end_s, at.visible_to_s)
            at = at.parent
        return start_s, end_s

    def close(self) -> None:
        """Fixes the end and tells the parent."""
        stated = self.times.end_s is not None or self.times.long_s is not None
        lasting = self.is_image or (self._has_text and not self.times.in_sequence)
        if stated or lasting:
            self.end_s = self.open_end_s
        else:
            self.end_s = min(self._latest_s, self.open_end_s)
        parent = self.parent
        if parent is None or self.tag == "br":
            return
        if parent.times.in_sequence:
            parent._next_s = max(parent._next_s, self.end_s)
        parent._latest_s = max(parent._latest_s, self.end_s)
