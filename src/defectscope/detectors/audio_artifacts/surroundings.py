"""What lies around a window: two more on either side, three seconds in all.

Of every window it remembers what the network made of it, and, measured rather than learned, the
level of each spectral line and how quiet each band gets. Over three seconds these tell what stays:

    hidden   own, mean, least and greatest over the windows
    lines    a line that never falls, beside those next to it: a mains harmonic, a drone
    combs    how far the lines at the multiples of each fundamental, 40 to 294 Hz, stand out
    floors   the least that each band falls to, and how flat it is: what lies under everything
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from defectscope.detectors.audio_artifacts.layout import REACH
from defectscope.detectors.audio_artifacts.spectra import (
    LINE_DECIMATION,
    LINE_FRAME,
    LINES,
    MELS,
    RATE_HZ,
)

# Frames of the mel spectrogram that are averaged before the quietest is looked for: 120 ms.
_QUIET_FRAMES = 12
# A line stands out beside the mean of so many around it: 50 Hz in all.
_NEIGHBOURS = 13
# Fundamentals whose combs are looked for, and how many of their multiples.
_LOWEST_HZ, _STEP_HZ, _MULTIPLES = 40.0, 2.0, 8
_RANGE = 8.0
_LN10 = 2.302585092994046
_CURVES = 7


def summary(mel: Tensor, lines: Tensor) -> Tensor:
    """Returns a window's summary, (n, SUMMARY): log10 powers and flatness.

    Args:
        mel: (n, 97, 64, 2) log10 power and flatness.
        lines: (n, 15, 128) log10 power.
    """
    mel, lines = mel.float(), lines.float()
    power = torch.exp(mel[..., 0] * _LN10)
    count = power.shape[1] // _QUIET_FRAMES
    groups = power[:, : count * _QUIET_FRAMES].unflatten(1, (count, _QUIET_FRAMES)).mean(dim=2)
    bands = power.mean(dim=1)
    parts = [
        lines.mean(dim=1), lines.amin(dim=1), lines.amax(dim=1),
        torch.log10(bands), torch.log10(groups.amin(dim=1)), mel[..., 1].mean(dim=1),
        torch.log10(bands.mean(dim=1, keepdim=True)),
    ]  # fmt: skip
    return torch.cat(parts, dim=1)


class Surroundings(nn.Module):
    """Returns what the surroundings add to a window's logits; nothing, untrained.

    Args:
        hidden: Numbers that the network makes of a window.
        outputs: Logits.
        drop_out: Before the last two layers.
    """

    combs: Tensor

    def __init__(self, hidden: int, outputs: int, drop_out: float = 0.3) -> None:
        super().__init__()
        self.lines = nn.Sequential(
            nn.Conv1d(_CURVES, 24, 5, padding=2), nn.ReLU(),
            nn.Conv1d(24, 32, 5, stride=2, padding=2), nn.ReLU(),
            nn.Conv1d(32, 32, 5, stride=2, padding=2), nn.ReLU(),
        )  # fmt: skip
        self.floors = nn.Sequential(nn.Linear(4 * MELS, 64), nn.ReLU())
        self.joint = nn.Sequential(
            nn.Dropout(drop_out), nn.Linear(4 * hidden + 2 * 32 + 2 + 64 + 1, 128), nn.ReLU(),
            nn.Dropout(drop_out), nn.Linear(128, outputs),
        )  # fmt: skip
        last = cast("nn.Linear", self.joint[-1])
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.register_buffer("combs", _combs(), persistent=False)

    def forward(self, hidden: Tensor, summaries: Tensor, present: Tensor) -> Tensor:
        """Returns corrections to the middle window's logits, (n, outputs).

        Args:
            hidden: (n, 5, hidden).
            summaries: (n, 5, SUMMARY).
            present: (n, 5) which windows there are; the middle one always is.
        """
        here = present[..., None]
        share = here / here.sum(dim=1, keepdim=True)
        own = hidden[:, REACH]
        parts = [own, (hidden * share).sum(dim=1), _least(hidden, here), _greatest(hidden, here)]
        line, band, level = summaries.split((3 * LINES, 3 * MELS, 1), dim=2)
        around = (level * share).sum(dim=1)
        parts += [*self._steady(line, here, share, around)]
        mean, quiet, flat = band.chunk(3, dim=2)
        floors = [
            _bounded(mean[:, REACH] - around), _bounded(_least(quiet, here) - around),
            _bounded(quiet[:, REACH] - around), (flat * share).sum(dim=1),
        ]  # fmt: skip
        parts += [self.floors(torch.cat(floors, dim=1)), level[:, REACH] - around]
        return self.joint(torch.cat(parts, dim=1))

    def _steady(
        self, line: Tensor, here: Tensor, share: Tensor, around: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Returns what is made of the lines: learned, and the highest of them and of the combs."""
        mean, least, most = line.chunk(3, dim=2)
        mean_power, floor = (mean * share).sum(dim=1), _least(least, here)
        neighbours = functional.avg_pool1d(
            mean_power[:, None], _NEIGHBOURS, 1, _NEIGHBOURS // 2, count_include_pad=False
        )[:, 0]
        # A line that sways by its own width is still that line.
        standing = functional.max_pool1d(floor[:, None], 3, 1, 1)[:, 0] - neighbours
        comb = standing.clamp(-1.0, 3.0) @ self.combs
        curves = [
            _bounded(mean[:, REACH] - around), _bounded(least[:, REACH] - around),
            _bounded(mean_power - around), _bounded(floor - around),
            _bounded(_greatest(most, here) - around), standing.clamp(-3.0, 3.0), comb,
        ]  # fmt: skip
        embeddings = self.lines(torch.stack(curves, dim=1))
        best = torch.stack([standing.amax(dim=1).clamp(-3.0, 3.0), comb.amax(dim=1)], dim=1)
        return torch.cat([embeddings.mean(dim=2), embeddings.amax(dim=2)], dim=1), best


def _least(values: Tensor, here: Tensor) -> Tensor:
    return torch.where(here, values, torch.inf).amin(dim=1)


def _greatest(values: Tensor, here: Tensor) -> Tensor:
    return torch.where(here, values, -torch.inf).amax(dim=1)


def _bounded(logs: Tensor) -> Tensor:
    return logs.clamp(-_RANGE, _RANGE) / 2


def _combs() -> Tensor:
    """Returns the weights of the lines in each comb, (lines, combs): means over the multiples."""
    spacing_hz = RATE_HZ / LINE_DECIMATION / LINE_FRAME
    out = torch.zeros(LINES, LINES)
    for place in range(LINES):
        fundamental = (_LOWEST_HZ + _STEP_HZ * place) / spacing_hz
        multiples = [
            fundamental * k for k in range(1, _MULTIPLES + 1) if fundamental * k < LINES - 1
        ]
        for at in multiples:
            low = int(at)
            out[low, place] += (1 - (at - low)) / len(multiples)
            out[low + 1, place] += (at - low) / len(multiples)
    return out
