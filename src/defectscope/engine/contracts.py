"""The contract between the engine and the detectors: measure, then decide.

    asset -> media -> features -> Analysis.push ... close -> Measurements -> Detector.decide

An analysis only measures; it never sees the end of the programme as anything special. `decide` is
pure, so segments merge by joining their measurements and deciding once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from defectscope.findings import DetectorResult
from defectscope.measurements import Measurements
from defectscope.media.captions.caption_bytes import CaptionBytes
from defectscope.media.cues import Captions, Cue
from defectscope.media.frames import DecodeEvent, RgbFrame, Samples
from defectscope.media.stream import StreamInfo

Medium = Literal["video", "audio", "captions"]


@dataclass(frozen=True, slots=True)
class FrameSelection:
    """Which frames a network wants as RGB: one per bucket of programme time.

    Buckets lie on the absolute grid [k * bucket_s, (k + 1) * bucket_s). In each, the frame with
    the highest suspicion is taken, then the earliest: chunking cannot change the choice.

    Attributes:
        bucket_s: Length of a bucket in seconds.
        suspicion: Feature whose largest value ranks frames; None takes the first frame.
        sudden: Ranks by how far a value of the feature stands out from the same one in the frame
            before and in the frame after, whichever is lower: motion that goes on does not hide
            what begins, ends or flashes up.
        per_bucket: Frames taken from each bucket, at most.
        with_previous: Also hand on the frame presented before each.
        max_height_px: Frames taller than this are scaled down to it; None keeps their size.
        luma: Hand on the luma plane as decoded. Of a live stream there is no RGB beside it.
    """

    bucket_s: float
    suspicion: str | None = None
    sudden: bool = False
    per_bucket: int = 1
    with_previous: bool = False
    max_height_px: int | None = None
    luma: bool = False


@dataclass(frozen=True, slots=True)
class Needs:
    """What a detector wants to see.

    Attributes:
        media: All of these must be present, else its verdict is `not_applicable`.
        features: Names from `defectscope.features`, computed for every frame.
        frames: Frames wanted as RGB, None for none.
        context_before_s: How much programme before a segment it must see to measure its first
            anchor as it would have in one pass.
        context_after_s: Likewise after its last anchor.
        surroundings_s: How much programme on either side of an interval that is analyzed by itself
            its decision weighs, so that what reaches into the interval is found; 0 where it
            judges an interval as a whole.
    """

    media: frozenset[Medium]
    features: frozenset[str] = frozenset()
    frames: FrameSelection | None = None
    context_before_s: float = 0.0
    context_after_s: float = 0.0
    surroundings_s: float = 5.0


@dataclass(frozen=True, slots=True)
class VideoChunk:
    """Consecutive frames, as their features.

    Attributes:
        pts: (n,) int64 ticks of the video's time base, t = 0 at the first presented frame.
        duration: (n,) int64 ticks, 0 where unknown.
        corrupt: (n,) bool, decoded with concealment.
        interlaced: (n,) bool, what the stream's flags say.
        features: Feature name -> (n, ...) array.
        rgb_frames: Selected frames whose bucket ended in this chunk, ordered by time.
        key: (n,) bool, random access points; empty where nobody asked the stream.
    """

    pts: NDArray[np.int64]
    duration: NDArray[np.int64]
    corrupt: NDArray[np.bool_]
    interlaced: NDArray[np.bool_]
    features: Mapping[str, NDArray[Any]]
    rgb_frames: tuple[RgbFrame, ...] = ()
    key: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))


@dataclass(frozen=True, slots=True)
class Chunk:
    """An interval of the stream; how long is the engine's business and must change nothing.

    Attributes:
        video: Frames, None when the interval has none.
        audio: Runs of samples; consecutive runs touch unless the stream has a gap.
        cues: Captions of embedded tracks that start in the interval.
        caption_bytes: Captions in the frame's user data, frame by frame, undecoded.
        captions: The side-car captions, whole, with the first chunk of every segment.
        events: What the decoders complained about.
    """

    video: VideoChunk | None = None
    audio: tuple[Samples, ...] = ()
    cues: tuple[Cue, ...] = ()
    caption_bytes: tuple[CaptionBytes, ...] = ()
    captions: Captions | None = None
    events: tuple[DecodeEvent, ...] = ()


class Analysis(Protocol):
    """Measures one stream."""

    def push(self, chunk: Chunk) -> None:
        """Takes the next interval."""
        ...

    def close(self) -> Measurements:
        """Returns what was measured, anchored on the absolute grid; context included.

        The engine cuts the rows to the segment. At most 64 KB per minute of programme.
        """
        ...


@runtime_checkable
class LiveAnalysis(Analysis, Protocol):
    """Measures a stream without an end: rows are taken as they become final.

    What all takes and the last `close` give, row after row, is what `close` alone would have given.
    """

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them."""
        ...


class Detector(Protocol):
    """Weights and parameters only: one instance serves many streams at once."""

    name: ClassVar[str]
    defects: ClassVar[tuple[str, ...]]
    needs: Needs
    params: Any

    def open(self, stream: StreamInfo) -> Analysis:
        """Returns a fresh analysis for a stream that has the media in `needs`."""
        ...

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns measurements of the whole programme, or of a part, into findings. Pure."""
        ...


@runtime_checkable
class Preparing(Protocol):
    """A detector that has something to load, a network, before it looks or listens."""

    def prepare(self, stream: StreamInfo) -> None:
        """Loads what a stream needs; called on the background worker, and loads nothing twice.

        Without the call the first push loads it.
        """
        ...


@runtime_checkable
class PreparingMore(Protocol):
    """A detector that has something to load which only some streams need."""

    def prepare_rest(self) -> None:
        """Loads it, and loads nothing twice; called where everything is made ready beforehand.

        Without the call it is loaded where a stream turns out to need it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was tuned or learned, read from model_artifacts/<name>/detector.json.

    Attributes:
        version: Version of the artifact.
        thresholds: Operating thresholds by name, in the unit the name carries.
        severity: Rules by defect: name of an evidence quantity -> its `major` and `critical`
            bounds.
        artifact: The whole document, for anything that only one detector has.
        folder: Where it was read; None where it was made by hand.
        own: It is the user's, in place of the released one.
        sha256: Of detector.json as it was read.
    """

    version: str
    thresholds: Mapping[str, float]
    severity: Mapping[str, Mapping[str, Any]]
    artifact: Mapping[str, Any] = field(default_factory=dict[str, Any])
    folder: Path | None = None
    own: bool = False
    sha256: str = ""
