"""What a delivery profile consists of: sources, rules, and parameters of detectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from defectscope.profiles.values import format_value

Position = Literal["anywhere", "programme", "head", "tail"]
POSITIONS: tuple[Position, ...] = ("anywhere", "programme", "head", "tail")


@dataclass(frozen=True, slots=True)
class Source:
    """What states a limit.

    Attributes:
        title: The document.
        edition: Which edition; empty where it has none.
        states: What it states, in few words.
    """

    title: str
    edition: str
    states: str

    def __str__(self) -> str:
        return f"{self.title}, {self.edition}" if self.edition else self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What a measured value must keep to; what is None does not bind.

    Attributes:
        min: Lowest value allowed.
        max: Highest value allowed.
        target: Value wanted.
        tolerance: Allowed distance from it, either way.
        one_of: Values allowed.
        required: There must be a value at all.
    """

    min: float | None = None
    max: float | None = None
    target: float | None = None
    tolerance: float = 0.0
    one_of: tuple[Any, ...] | None = None
    required: bool = False

    @property
    def binds(self) -> bool:
        """Whether anything is asked for."""
        values = (self.min, self.max, self.target, self.one_of)
        return self.required or any(value is not None for value in values)

    def holds(self, value: Any) -> bool:
        """Tells whether a value that is there keeps to it."""
        if self.one_of is not None:
            return any(_same(value, allowed) for allowed in self.one_of)
        if self.min is None and self.max is None and self.target is None:
            return True
        number = float(value)
        low, high = self._range()
        return low - 1e-9 <= number <= high + 1e-9

    def _range(self) -> tuple[float, float]:
        low = float("-inf") if self.min is None else self.min
        high = float("inf") if self.max is None else self.max
        if self.target is not None:
            low, high = self.target - self.tolerance, self.target + self.tolerance
        return low, high

    def __str__(self) -> str:
        if self.one_of is not None:
            return " or ".join(format_value(value) for value in self.one_of)
        if self.target is not None:
            tolerance = f" ±{format_value(self.tolerance)}" if self.tolerance else ""
            return format_value(self.target) + tolerance
        parts: list[str] = []
        if self.min is not None:
            parts.append(f"at least {format_value(self.min)}")
        if self.max is not None:
            parts.append(f"at most {format_value(self.max)}")
        return ", ".join(parts) or ("stated" if self.required else "none")


def _same(value: Any, allowed: Any) -> bool:
    if isinstance(value, str) and isinstance(allowed, str):
        return value.casefold() == allowed.casefold()
    return value == allowed and isinstance(value, bool) == isinstance(allowed, bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A measured quantity of a detector, and its bound.

    Attributes:
        name: Name among the detector's peak scores.
        bound: What it must keep to.
        needs: Another quantity's name and least value without which this one says nothing.
    """

    name: str
    bound: Bound
    needs: tuple[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that a delivery must keep to: about findings, quantities or facts.

    Attributes:
        id: Name within the profile.
        title: What it asks for, in plain words.
        source: What states it.
        code: The source's own code; empty where it gives none.
        vocabulary: Category/term of the MovieLabs QC vocabulary; empty where it has none.
        verdict: What breaking it means.
        unit: Unit of the measured value.
        note: What the reader should know, where the source leaves something open.
        detector: Whose findings or quantities; empty for facts.
        defect: Findings of this defect alone; empty takes all of the detector.
        where: Evidence that a finding must have, one of several values each.
        measure: Evidence that is held against the bound; empty lets any finding break the rule.
        bound: Of `measure` or of `fact`.
        position: Where in the programme findings count.
        scores: Quantities, of which one must keep to its bound.
        fact: Name of a fact of the container.
        skip_unsure: Where the detector is inconclusive, the rule does not apply.
    """

    id: str
    title: str
    source: Source
    code: str = ""
    vocabulary: str = ""
    verdict: Literal["fail", "warn"] = "fail"
    unit: str = ""
    note: str = ""
    detector: str = ""
    defect: str = ""
    where: Mapping[str, tuple[Any, ...]] = field(default_factory=dict[str, tuple[Any, ...]])
    measure: str = ""
    bound: Bound = field(default_factory=Bound)
    position: Position = "anywhere"
    scores: tuple[Score, ...] = ()
    fact: str = ""
    skip_unsure: bool = False

    @property
    def limit(self) -> str:
        """The bound as a reader writes it."""
        if self.scores:
            return " or ".join(
                f"{score.bound} ({_words(score.name)})"
                if len(self.scores) > 1
                else str(score.bound)
                for score in self.scores
            )
        return str(self.bound)


def _words(name: str) -> str:
    return name.rpartition("_")[0].replace("_", " ") or name


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A delivery profile.

    Attributes:
        id: Its name on the command line.
        title: What it is for.
        edition: Of when its rules are.
        about: What it covers, and what its sources leave open.
        sha256: Of the file it was read from.
        rules: What is asked for.
        parameters: Parameters of detectors under it, so that findings agree with the rules.
        sources: By the name that rules call them.
        head_s: Length of the head, seconds; 0 means findings that touch the first frame.
        tail_s: Length of the tail, seconds; 0 means findings that reach the end.
    """

    id: str
    title: str
    edition: str
    about: str
    sha256: str
    rules: tuple[Rule, ...]
    parameters: Mapping[str, Mapping[str, Any]]
    sources: Mapping[str, Source]
    head_s: float = 0.0
    tail_s: float = 0.0

    def summary(self) -> dict[str, str]:
        """Returns what a report says of it."""
        return {
            "id": self.id,
            "title": self.title,
            "edition": self.edition,
            "sha256": self.sha256,
        }
