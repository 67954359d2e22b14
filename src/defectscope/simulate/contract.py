"""What every simulator offers: draw parameters, apply them, say where the damage lies.

    stream facts, severity, seed -> draw -> Params
    media, Plan(params, span, seed, stream) -> apply -> impaired media + truth

There are four honest places to make a defect, and a base class for each:

    VideoSimulator      on decoded pictures, in the file's own YUV planes, one at a time
    AudioSimulator      on runs of float32 samples at the file's own rate
    CaptionSimulator    on cues, and on the text of a side-car file
    ContainerSimulator  on packets, time stamps and bytes of a file

A module publishes its simulators as `SIMULATORS`, a tuple; the registry needs nothing else.
Severity runs from 1 (barely perceptible) over 3 (clearly perceptible) to 5 (gross); fractions
lie between.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar
from zlib import crc32

import numpy as np

from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.media.cues import Captions
from defectscope.media.frames import Frame, Samples
from defectscope.media.stream import AudioInfo, StreamInfo, VideoInfo
from defectscope.parameters import from_text
from defectscope.simulate.parameters import parameters, same_kind

Medium = Literal["video", "audio", "captions", "container"]
P = TypeVar("P")

# Draws that are tried for the kind that was asked for.
_ATTEMPTS = 48
MIN_SEVERITY = 1.0
MAX_SEVERITY = 5.0


@dataclass(frozen=True, slots=True)
class Truth:
    """One defect that was made: which, where, and how.

    Attributes:
        defect: Name of the defect as findings call it.
        start_s: First damaged instant, seconds from t = 0.
        end_s: First sound instant after it.
        parameters: What made it, JSON-ready.
    """

    defect: str
    start_s: float
    end_s: float
    parameters: Mapping[str, Any]

    @property
    def interval(self) -> Interval:
        """The defect's span."""
        return Interval(self.start_s, self.end_s)

    def to_dict(self) -> dict[str, Any]:
        """Returns the entry of a truth file."""
        return {
            "defect": self.defect,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "parameters": dict(self.parameters),
        }


@dataclass(frozen=True, slots=True)
class Plan(Generic[P]):
    """Everything that decides what comes out, so that a plan can be kept and repeated.

    Attributes:
        params: Drawn or given parameters of the simulator.
        span: Where the defect is wanted; truth says where it came to lie.
        seed: Seeds whatever is random while applying.
        stream: Facts of the media that is impaired.
    """

    params: P
    span: Interval
    seed: int
    stream: StreamInfo

    @property
    def video(self) -> VideoInfo:
        """The video's facts.

        Raises:
            InvalidParameterError: There is no video to impair.
        """
        if self.stream.video is None:
            raise InvalidParameterError("this defect needs video, and the media has none")
        return self.stream.video

    @property
    def audio(self) -> AudioInfo:
        """The sound's facts.

        Raises:
            InvalidParameterError: There is no sound to impair.
        """
        if self.stream.audio is None:
            raise InvalidParameterError("this defect needs sound, and the media has none")
        return self.stream.audio

    def rng(self, *key: int) -> np.random.Generator:
        """Returns the generator of one place in the media.

        Args:
            key: Non-negative integers that name the place (a frame's position, a channel), so
                that what is drawn there does not depend on what was drawn elsewhere.
        """
        return np.random.default_rng([self.seed, *key])

    def truth(self, defect: str, start_s: float, end_s: float, **more: Any) -> Truth:
        """Returns the truth entry of this plan's parameters, with `more` beside them."""
        return Truth(defect, start_s, end_s, {**parameters(self.params), **more})


class Simulator(ABC, Generic[P]):
    """Makes one kind of defect.

    Attributes:
        name: What the command line and the registry call it.
        defects: Which defects its truth can name.
        medium: What it works on.
        summary: One line for people, without a full stop.
        params: The frozen dataclass of its parameters.
    """

    name: ClassVar[str]
    defects: ClassVar[tuple[str, ...]]
    medium: ClassVar[Medium]
    summary: ClassVar[str]
    params: ClassVar[type[Any]]

    @abstractmethod
    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> P:
        """Draws parameters for a severity from 1 (barely perceptible) to 5 (gross).

        Args:
            rng: Where chance comes from; nothing else is random.
            severity: 1 to 5, fractions allowed.
            span: Where the defect is wanted.
            stream: Facts of the media.

        Raises:
            InvalidParameterError: This media cannot have this defect.
        """

    def plan(
        self,
        stream: StreamInfo,
        span: Interval,
        *,
        seed: int,
        severity: float = 3.0,
        overrides: Mapping[str, Any] | None = None,
    ) -> Plan[P]:
        """Draws parameters, sets those given by name, and fixes them with span and seed.

        Args:
            stream: Facts of the media.
            span: Where the defect is wanted.
            seed: Seeds the drawing and the application.
            severity: 1 to 5.
            overrides: Parameters to set by name, as values or as text from a command line.

        Raises:
            InvalidParameterError: A severity, parameter or span makes no sense.
        """
        if not MIN_SEVERITY <= severity <= MAX_SEVERITY:
            raise InvalidParameterError(f"severity is 1 to 5, not {severity:g}")
        if span.duration_s <= 0:
            raise InvalidParameterError("the defect's span is empty")
        if seed < 0:
            raise InvalidParameterError("a seed is a number from 0 on")
        given = overrides or {}
        # Each simulator has a stream of its own, so that one seed does not draw alike everywhere.
        draws = [
            self.draw(
                np.random.default_rng([seed, crc32(self.name.encode()), attempt]),
                severity,
                span,
                stream,
            )
            for attempt in range(_ATTEMPTS if given else 1)
        ]
        # The strength of a draw belongs to its kind: a kind that is asked for is drawn, if it can
        # be, rather than set over the strength of another. Otherwise the first draw is taken, so
        # that setting one value changes no other.
        fitting = (d for d in draws if same_kind(d, given))
        return Plan(from_text(next(fitting, draws[0]), given), span, seed, stream)


class VideoSimulator(Simulator[P]):
    """Impairs decoded pictures."""

    medium: ClassVar[Medium] = "video"

    @abstractmethod
    def apply(self, frames: Iterable[Frame], plan: Plan[P], truth: list[Truth]) -> Iterator[Frame]:
        """Returns the impaired frames, in order; holds only the few that it needs.

        Args:
            frames: Frames in order of presentation.
            plan: What to make.
            truth: Entries are appended; complete when the iterator is exhausted.
        """


class AudioSimulator(Simulator[P]):
    """Impairs runs of samples."""

    medium: ClassVar[Medium] = "audio"

    @abstractmethod
    def apply(
        self, runs: Iterable[Samples], plan: Plan[P], truth: list[Truth]
    ) -> Iterator[Samples]:
        """Returns the impaired samples; how they are cut into runs changes nothing.

        Args:
            runs: Runs in order.
            plan: What to make.
            truth: Entries are appended; complete when the iterator is exhausted.
        """


class CaptionSimulator(Simulator[P]):
    """Impairs a caption track."""

    medium: ClassVar[Medium] = "captions"

    @abstractmethod
    def apply(self, captions: Captions, plan: Plan[P], truth: list[Truth]) -> bytes:
        """Returns the impaired side-car file, in the format of `captions`."""


class ContainerSimulator(Simulator[P]):
    """Impairs a file as bytes, packets and time stamps."""

    medium: ClassVar[Medium] = "container"

    @abstractmethod
    def apply(self, source: Path, destination: Path, plan: Plan[P], truth: list[Truth]) -> None:
        """Writes the impaired file."""
