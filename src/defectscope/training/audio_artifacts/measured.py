"""Sound as the detector measures it, with its truth: what a decision is chosen and evaluated on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.analysis import COLUMNS, AudioArtifactsAnalysis
from defectscope.detectors.audio_artifacts.events import CLICKS
from defectscope.detectors.audio_artifacts.inference import Scorer
from defectscope.detectors.audio_artifacts.spectra import RATE_HZ
from defectscope.engine.contracts import Chunk
from defectscope.findings import Interval
from defectscope.media.frames import Samples
from defectscope.media.stream import AudioInfo, StreamInfo
from defectscope.temporal.tables import column, times_s
from defectscope.training.audio_artifacts.audibility import AUDIBLE_DB, TICKS_HZ
from defectscope.training.contract import CacheView, Split

Doubles = NDArray[np.float64]
# Events at most this far apart are one event: the detector's own default.
MAX_GAP_S = 1.0
# Share of an event that must be heard for it to count as heard.
AUDIBLE_SHARE = 0.3
_PUSH_S = 10


@dataclass(frozen=True, slots=True)
class Piece:
    """A measured piece of sound with its truth.

    Attributes:
        name: Of its recording: pieces of one recording are never fitted and evaluated at once.
        corpus: Of the recording.
        seconds: Its length.
        columns: What the analysis measured, by name, one value a step.
        starts_s: (n,) start of each step's window.
        defect: What was put into it, empty for a clean piece.
        family: Which way of making it.
        level: 1 to 5, 0 for a clean piece.
        events: Where the defect is.
        audibility_db: (ticks,) how far it stands out, dB, every 50 ms.
    """

    name: str
    corpus: str
    seconds: float
    columns: Mapping[str, NDArray[Any]]
    starts_s: Doubles
    defect: str = ""
    family: str = ""
    level: int = 0
    events: tuple[Interval, ...] = ()
    audibility_db: NDArray[np.int8] | None = None

    def joined_events(self) -> list[Interval]:
        """Returns the events, those that lie close together as one."""
        out: list[Interval] = []
        for event in sorted(self.events, key=lambda e: e.start_s):
            if out and event.start_s - out[-1].end_s <= MAX_GAP_S:
                last = out.pop()
                event = Interval(last.start_s, max(last.end_s, event.end_s))
            out.append(event)
        return out

    def is_audible(self, event: Interval) -> bool:
        """Returns whether enough of an event stands out, of clicks whether one does."""
        if self.audibility_db is None:
            return True
        first, last = int(event.start_s * TICKS_HZ), int(np.ceil(event.end_s * TICKS_HZ))
        levels = self.audibility_db[first:last]
        loud = levels >= AUDIBLE_DB[self.defect]
        if self.defect == CLICKS:
            return bool(loud.any())
        return bool(len(loud)) and bool(loud.mean() >= AUDIBLE_SHARE)


def measured(scorer: Scorer, sound: NDArray[Any], **facts: Any) -> Piece | None:
    """Returns a piece as the detector measures it, None where it is too short.

    Args:
        scorer: The network.
        sound: (n,) at 32 kHz.
        facts: The other attributes of the piece.
    """
    seconds = len(sound) / RATE_HZ
    audio = AudioInfo(RATE_HZ, ("FC",), "mono", "pcm_s16le")
    stream = StreamInfo("piece", "wav", seconds, None, audio)
    analysis = AudioArtifactsAnalysis(stream, scorer, each_channel=False)
    samples = (np.asarray(sound, np.float32) / np.float32(32768))[:, None]
    for start in range(0, len(samples), _PUSH_S * RATE_HZ):
        run = Samples(start, samples[start : start + _PUSH_S * RATE_HZ])
        analysis.push(Chunk(audio=(run,)))
    table = analysis.close().tables["windows"]
    if not len(table):
        return None
    columns = {name: column(table, name).astype(np.int16) for name in COLUMNS}
    return Piece(seconds=seconds, columns=columns, starts_s=times_s(table), **facts)


def of_cache(scorer: Scorer, cache: CacheView, split: Split) -> list[Piece]:
    """Returns the clean programmes and the impaired pieces of a split, measured."""
    out: list[Piece] = []
    for place, fact in enumerate(cache.facts(split)):
        if "programme" in fact:
            facts: dict[str, Any] = {"name": fact["programme"], "corpus": fact["corpus"]}
        elif "piece" in fact:
            facts = {
                "name": fact["piece"],
                "corpus": fact["corpus"],
                "defect": fact["defect"],
                "family": fact["family"],
                "level": fact["level"],
                "events": tuple(Interval(*span) for span in fact["events"]),
                "audibility_db": cache.array(split, place, "heard"),
            }
        else:
            continue
        piece = measured(scorer, cache.array(split, place, "sound"), **facts)
        out += [piece] if piece is not None else []
    return out
