"""Whole recordings, judged every half second: what false findings are counted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts import spectra
from defectscope.detectors.audio_artifacts.network import Network
from defectscope.training.audio_artifacts.windows import BATCH, PICTURES, around
from defectscope.training.contract import CacheView, Split


@dataclass(frozen=True, slots=True)
class Programme:
    """A whole recording, judged every half second.

    Attributes:
        name: Corpus and recording.
        corpus: Its corpus.
        starts_s: (n,) start of each window.
        logits: (n, 4).
        seconds: Its length.
    """

    name: str
    corpus: str
    starts_s: NDArray[np.float64]
    logits: NDArray[np.float64]
    seconds: float


def score_programmes(model: torch.nn.Module, cache: CacheView, split: Split) -> list[Programme]:
    """Gives the judgement of every whole recording of a split."""
    out: list[Programme] = []
    device = next(model.parameters()).device
    network = cast("Network", model.eval())
    for place, fact in enumerate(cache.facts(split)):
        if "programme" not in fact:
            continue
        whole = spectra.Spectra(*(cache.array(split, place, k) for k in PICTURES))
        count = int(fact["blocks"]) - 1
        heard: list[torch.Tensor] = []
        with torch.inference_mode():
            for first in range(0, count, BATCH):
                part = [whole.window(k / 2) for k in range(first, min(count, first + BATCH))]
                pictures = [
                    np.stack([getattr(w, k) for w in part]) for k in ("mel", "lines", "fast")
                ]
                pictures.append(np.stack([w.levels.sum(axis=0, dtype=np.float32) for w in part]))
                tensors = (torch.from_numpy(p.astype(np.float32)).to(device) for p in pictures)
                heard.append(network.hear(*tensors))
            there = torch.ones(1, count, dtype=torch.bool, device=device)
            near, mask = around(torch.cat(heard)[None], there)
            parts = zip(near.split(BATCH), mask.split(BATCH), strict=True)
            logits = [network(*part).float().cpu().numpy() for part in parts]
        out.append(
            Programme(
                str(fact["programme"]),
                str(fact["corpus"]),
                np.arange(count) / 2,
                np.concatenate(logits).astype(np.float64),
                int(fact["blocks"]) / 2,
            )
        )
    return out
