"""What a network whose ears do not learn any more has heard, so that it is heard but once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from defectscope.detectors.audio_artifacts.network import Network
from defectscope.detectors.audio_artifacts.surroundings import NEAR
from defectscope.training.contract import CacheView, Split
from defectscope.training.recipes.sound_windows import PICTURES, sequences

# A clip and the first tick of its first window.
Place = tuple[int, int]


class Memory:
    """Hears five windows of a clip when they are first asked for, and remembers: 15 kB a clip."""

    def __init__(self) -> None:
        self._heard: dict[Split, dict[Place, Mapping[str, torch.Tensor]]] = {}
        self._waiting: dict[Split, dict[Place, dict[str, torch.Tensor]]] = {}

    def note(self, cache: CacheView, split: Split, asked: Sequence[Place]) -> None:
        """Takes the pictures of what has not been heard yet."""
        known = self._heard.setdefault(split, {})
        new = sorted({place for place in asked if place not in known})
        waiting = self._waiting.setdefault(split, {})
        if new:
            batch = sequences(cache, split, [p for p, _ in new], [f for _, f in new])
            for row, place in enumerate(new):
                own = slice(row * NEAR, (row + 1) * NEAR)
                waiting[place] = {k: v[row] if k == "present" else v[own] for k, v in batch.items()}

    def recall(
        self, network: Network, split: Split, asked: Sequence[Place]
    ) -> dict[str, torch.Tensor]:
        """Gives `heard` (clips, 5, HEARD), `present` (clips, 5), `target`, `weight` (windows, 4).

        Args:
            network: Hears what is waiting, the same whenever it is asked.
            split: Of which split.
            asked: What `note` was told of.
        """
        known, waiting = self._heard.setdefault(split, {}), self._waiting.pop(split, {})
        if waiting:
            parts = list(waiting.values())
            with torch.no_grad():
                pictures = (torch.cat([part[k] for part in parts]) for k in PICTURES)
                heard = network.hear(*pictures).float().unflatten(0, (-1, NEAR))
            for place, part, own in zip(waiting, parts, heard, strict=True):
                rest = {k: part[k] for k in ("present", "target", "weight")}
                known[place] = {"heard": own.clone(), **rest}
        rows = [known[place] for place in asked]
        stacked = {k: torch.stack([row[k] for row in rows]) for k in rows[0]}
        for name in ("target", "weight"):
            stacked[name] = stacked[name].flatten(0, 1)
        return stacked
