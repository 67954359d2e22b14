"""The network: what one second of sound says, evaluated within the three seconds around it.

Four small convolutional branches hear each window of a second:

    mel    (2 x 64 x 97)  a PANN-like stack of 3 x 3 convolutions, on power and flatness
    lines  (128 x 15)     convolutions along frequency: combs of the mains
    fast   (4 x 400)      convolutions along time: clicks
    levels (3 x 48)       convolutions along level: clipped and bent tops
    all    -> hidden layer -> one logit per defect

Everything is taken relative to the window's own level, so loudness tells it nothing. What hums,
hisses or is distorted seldom begins and ends within a second: the window's `Surroundings`, up to
two windows half a second apart on either side, correct its logits.

Source: Kong et al. 2020, "PANNs", IEEE/ACM TASLP 28, for the log-mel stack and its pooling (mean
plus maximum over time); the other branches are ours, see docs/results/audio_artifacts.md.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from defectscope.detectors.audio_artifacts.layout import CLASSES, HIDDEN, SUMMARY
from defectscope.detectors.audio_artifacts.spectra import LEVEL_LAYERS, LEVELS, MEL_LAYERS
from defectscope.detectors.audio_artifacts.surroundings import Surroundings, summary

_LEVELS_KEPT = 48
# Below 70 dB under full scale the reference stops following: silence stays silence.
_REFERENCE_FLOOR = -7.0
_RANGE = 8.0
# Flatter than noise no band is, and a pure tone is about three powers of ten less flat.
_FLAT_RANGE = 3.0
_LN10 = 2.302585092994046


def _stage(inputs: int, outputs: int, width: int = 3, step: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, width, stride=step, padding=width // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def _strip(inputs: int, outputs: int, width: int, step: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(inputs, outputs, width, stride=step, padding=width // 2, bias=False),
        nn.BatchNorm1d(outputs),
        nn.ReLU(),
    )


class Network(nn.Module):
    """Returns the logits of the four defects for windows of one second.

    Args:
        widths: Channels of the four stages of the mel branch.
        drop_out: Before the last two layers.
    """

    def __init__(
        self, widths: tuple[int, int, int, int] = (24, 48, 96, 128), drop_out: float = 0.2
    ) -> None:
        super().__init__()
        self.widths = widths
        a, b, c, d = widths
        self.mel = nn.Sequential(
            _stage(MEL_LAYERS, a, 5, 2),
            _stage(a, b, 3, 2), nn.AvgPool2d(2),
            _stage(b, c),
            _stage(c, d),
        )  # fmt: skip
        self.lines = nn.Sequential(_strip(30, 48, 5, 1), _strip(48, 64, 5, 2), _strip(64, 64, 5, 2))
        self.fast = nn.Sequential(_strip(4, 32, 5, 1), _strip(32, 48, 5, 4), _strip(48, 64, 5, 4))
        self.levels = nn.Sequential(
            _strip(LEVEL_LAYERS, 24, 5, 1), _strip(24, 32, 5, 2), _strip(32, 32, 5, 2)
        )
        gathered = 2 * d + 2 * d // 2 + 3 * 64 + 2 * 64 + 32 * (_LEVELS_KEPT // 4)
        self.mel_bands = nn.Linear(d * 8, d)
        self.head = nn.Sequential(
            nn.Dropout(drop_out), nn.Linear(gathered, HIDDEN), nn.ReLU(),
            nn.Dropout(drop_out), nn.Linear(HIDDEN, len(CLASSES)),
        )  # fmt: skip
        self.around = Surroundings(HIDDEN, len(CLASSES))

    def forward(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """Returns logits, (n, 4), in the order of `CLASSES`.

        Args:
            embeddings: (n, 5, EMBEDDING), what `embed_windows` gave of a window, and of
                the two on either side.
            present: (n, 5) which of them there are.
        """
        logits, hidden, summaries = embeddings.float().split((len(CLASSES), HIDDEN, SUMMARY), dim=2)
        return logits[:, logits.shape[1] // 2] + self.around(hidden, summaries, present)

    def embed_windows(self, mel: Tensor, lines: Tensor, fast: Tensor, levels: Tensor) -> Tensor:
        """Returns what single windows say, (n, EMBEDDING); their logits, (n, 4), come first.

        Args:
            mel: (n, 97, 64, 2) log10 power and flatness.
            lines: (n, 15, 128) log10 power.
            fast: (n, 400, 4) log10 power.
            levels: (n, 96, 3) sums over the window, half a decibel apart.
        """
        hidden = self.head[:3](self.embed(mel, lines, fast, levels))
        parts = [self.head[3:](hidden).float(), hidden.float(), summary(mel, lines)]
        return torch.cat(parts, dim=1)

    def embed(self, mel: Tensor, lines: Tensor, fast: Tensor, levels: Tensor) -> Tensor:
        """Returns what the branches gather, (n, features)."""
        power = torch.exp(mel[..., 0].float() * _LN10).mean(dim=(1, 2))
        reference = torch.log10(power + 1e-12).clamp_min(_REFERENCE_FLOOR)[:, None, None]
        layers = [_bounded(mel[..., 0] - reference), mel[..., 1].clamp(-_FLAT_RANGE, 0.5)]
        layers_in = torch.stack(layers, dim=1).transpose(2, 3)  # (n, 2, 64, 97)
        maps = self.mel(layers_in)  # (n, d, 8, 12)
        over_bands = maps.mean(dim=2)  # (n, d, 12)
        parts = [over_bands.mean(dim=2), over_bands.amax(dim=2)]
        parts.append(torch.relu(self.mel_bands(maps.mean(dim=3).flatten(1))))
        combs = _bounded(lines - reference)
        # What stays over the window and what moves: mains lines stay.
        steady = torch.cat([combs, combs - combs.mean(dim=1, keepdim=True)], dim=1)
        comb = self.lines(steady)  # (n, 64, 32)
        parts += [comb.mean(dim=2), comb.amax(dim=2), comb[:, :, :16].amax(dim=2)]
        quick = self.fast(_bounded(fast - reference).transpose(1, 2))  # (n, 64, 25)
        parts += [quick.mean(dim=2), quick.amax(dim=2)]
        parts.append(self.levels(_from_peak(levels)).flatten(1))
        return torch.cat(parts, dim=1)


def _bounded(logs: Tensor) -> Tensor:
    return logs.clamp(-_RANGE, _RANGE) / 2


def _from_peak(levels: Tensor) -> Tensor:
    """Returns the window's levels from its highest one down, (n, 3, 48).

    Log counts, and how the waveform bends at each level beside how it bends on the whole.
    """
    highest = (levels[..., 0] > 0).to(torch.uint8).argmax(dim=1, keepdim=True)
    place = highest + torch.arange(_LEVELS_KEPT, device=levels.device)[None]
    inside = (place < LEVELS)[..., None]
    chosen = place.clamp_max(LEVELS - 1)[..., None].expand(-1, -1, levels.shape[-1])
    kept = torch.gather(levels.float(), 1, chosen) * inside
    counts, inward, power = kept.unbind(dim=-1)
    samples = levels[..., 0].float().sum(dim=1, keepdim=True)
    mean_power = levels[..., 2].float().sum(dim=1, keepdim=True) / samples + 1e-12
    # A few samples at a level say little: their mean is drawn towards nothing.
    weight = 1.0 / (counts + 2.0)
    bent = (inward * weight / mean_power.sqrt()).clamp(-4, 4)
    spread = torch.log10((power + mean_power * 2.0) * weight / mean_power)
    return torch.stack([torch.log1p(counts) / 4, bent, spread], dim=1)
