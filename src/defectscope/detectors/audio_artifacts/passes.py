"""The network of this detector and the rules that follow it, as its handler shows them."""

from __future__ import annotations

from defectscope.detectors.audio_artifacts.decision import features, runs
from defectscope.detectors.audio_artifacts.events import ends
from defectscope.detectors.audio_artifacts.grid import Resampler
from defectscope.detectors.audio_artifacts.layout import BATCH
from defectscope.detectors.audio_artifacts.spectra import Spectra, measure
from defectscope.engine.passes import NetworkPass

PASSES = (
    NetworkPass(
        "Network.embed_windows",
        batch=BATCH,
        inputs=(Resampler.push, measure, Spectra.join, Spectra.window),
    ),
    NetworkPass("Network.forward", batch=BATCH, inputs=()),
)
RULES = (features, runs, ends)
