"""Side-car files that break their own format."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import numpy as np

from defectscope.findings import Interval
from defectscope.media.cues import Captions
from defectscope.media.stream import StreamInfo
from defectscope.parameters import choice, number, parameters
from defectscope.simulate.contract import CaptionSimulator, Plan, Simulator, Truth
from defectscope.simulate.effects.caption_cues import hit_cues
from defectscope.simulate.effects.caption_text import caption_blocks
from defectscope.simulate.parameters import ladder

_DRAWN = ("arrow", "time", "reversed", "encoding", "number")
_FAULTS = (*_DRAWN, "empty", "comma")


@parameters
class FormatParams:
    """What breaks the format."""

    kind: Annotated[
        str,
        choice(
            _FAULTS,
            "`arrow` (a damaged `-->`), `time` (a time that is none), `reversed` (end "
            "before start), `encoding` (bytes that are not UTF-8), `number` (no digits "
            "where digits are due), `empty` (no text) or `comma` (before the thousandths "
            "in WebVTT). The last two are never drawn.",
        ),
    ] = "time"
    share: Annotated[float, number(0.05, 1, "Share of the cues that are hit.")] = 0.2


class CaptionFormat(CaptionSimulator[FormatParams]):
    """Damages the text of some cues."""

    name = "caption_format"
    defects = ("caption_format",)
    summary = "a side-car file that breaks its own format"
    params = FormatParams

    def draw(
        self, rng: np.random.Generator, severity: float, span: Interval, stream: StreamInfo
    ) -> FormatParams:
        """Draws what is damaged and how often."""
        kind = _DRAWN[int(rng.integers(len(_DRAWN)))]
        return FormatParams(kind=kind, share=ladder(severity, (0.05, 0.1, 0.2, 0.4, 0.8)))

    def apply(self, captions: Captions, plan: Plan[FormatParams], truth: list[Truth]) -> bytes:
        """Returns the damaged side-car file."""
        blocks = [b.encode("utf-8") for b in caption_blocks(captions.cues, captions.format)]
        for i in hit_cues(captions.cues, plan.params.share, plan):
            cue = captions.cues[i]
            if plan.params.kind in ("reversed", "empty"):
                changed = replace(cue, start_s=cue.end_s, end_s=cue.start_s)
                if plan.params.kind == "empty":
                    changed = replace(cue, lines=())
                whole = [*captions.cues[:i], changed]
                blocks[i + 1] = caption_blocks(whole, captions.format)[i + 1].encode("utf-8")
            else:
                blocks[i + 1] = _damaged(blocks[i + 1], plan.params.kind)
            truth.append(plan.truth(self.name, cue.start_s, cue.end_s, cue=i + 1))
        return b"".join(blocks)


def _damaged(block: bytes, kind: str) -> bytes:
    """A block with one fault; in TTML, which has no arrows, the attribute's quote goes."""
    if kind == "arrow":
        return block.replace(b"-->", b"->", 1) if b"-->" in block else block.replace(b'"', b"", 1)
    if kind == "comma":
        # The only points before an arrow and after it are those of the two times.
        return block.replace(b".", b",", 2)
    if kind == "number":
        return block.replace(b"0", b"O", 2)
    if kind == "time":
        return block.replace(b":", b":9", 1)
    at = max(0, len(block) - 6)
    return block[:at] + b"\xff\xfe\xe9" + block[at:]


SIMULATORS: tuple[Simulator[Any], ...] = (CaptionFormat(),)
