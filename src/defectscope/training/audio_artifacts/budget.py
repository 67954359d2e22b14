"""How many false findings each defect may have: a budget, spent where it finds most.

What is rare in clean sound needs little evidence, and what sounds like much that is clean needs
much. Equal shares would waste on one defect what another could use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

# However rare something is in what was measured, so much evidence is asked for.
LEAST_EVIDENCE = 0.5
# Above the evidence of clean sound that may not be reported.
_ROUNDING = 1.001


def least(clean: Sequence[float], hits: Sequence[float], allowed: int) -> float:
    """Returns the evidence to ask for: amid the gap between clean sound and what is found.

    Args:
        clean: Evidence of runs in clean sound.
        hits: Evidence of runs over events that are heard.
        allowed: How many of the clean ones may be reported.
    """
    falling = sorted(clean, reverse=True)
    floor = max(falling[allowed] * _ROUNDING if allowed < len(falling) else 0.0, LEAST_EVIDENCE)
    # What may be reported, and what is to be: the threshold lies below the least of them.
    above = [e for e in (*hits, *falling[:allowed]) if e >= floor]
    return float(np.sqrt(floor * min(above))) if above else floor


def recall(clean: Sequence[float], hits: Sequence[float], allowed: int) -> float:
    """Returns the share of the hits that is found with so many false findings allowed."""
    asked = least(clean, hits, allowed)
    return sum(hit >= asked for hit in hits) / len(hits) if hits else 0.0


def shared(recalls: Mapping[str, Sequence[float]], budget: int) -> dict[str, int]:
    """Returns how many false findings each defect may have, for the greatest mean recall.

    Of equal ones the cheapest.

    Args:
        recalls: Of each defect, its recall with 0, 1, ... allowed.
        budget: False findings in all.
    """
    best: dict[int, tuple[float, dict[str, int]]] = {0: (0.0, {})}
    for name, curve in recalls.items():
        following: dict[int, tuple[float, dict[str, int]]] = {}
        for spent, (total, chosen) in best.items():
            for allowed, found in enumerate(curve[: budget - spent + 1]):
                cost, gain = spent + allowed, total + found
                if cost not in following or gain > following[cost][0] + 1e-9:
                    following[cost] = (gain, {**chosen, name: allowed})
        best = following
    cost = max(best, key=lambda k: (round(best[k][0], 9), -k))
    return best[cost][1]
