"""How a mouth moves for a row of phones: gestures that overlap, as in speech.

Every phone pulls the lips, jaw and tongue towards a target of its own, strongest in its middle and
fading before and after it, so neighbours blend (coarticulation) and a mouth rounds before the
vowel that wants it. A closure that speech cannot do without, as of p, b and m, pulls hardest.

Source: Cohen and Massaro 1993, "Modeling coarticulation in synthetic visual speech", for dominance
functions; targets and strengths are ours, read off recordings of talking faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# What a target says, in this order: opening of the jaw (0 to 1), width (-1 rounded to 1 spread),
# upper teeth seen, tongue seen, lips rolled in or pressed, lips pushed out (each 0 to 1).
GESTURES = ("opening", "width", "teeth", "tongue", "press", "pout")


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone and when it sounds.

    Attributes:
        name: ARPAbet without stress, lower case; `pau` for silence.
        start_s: Begin.
        end_s: End.
    """

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Manner:
    """How somebody articulates.

    Attributes:
        effort: Scale of every gesture: 0.4 mumbles, 1.2 declaims.
        lead_s: By how much lips and jaw are ahead of the sound.
        reach_s: How far a gesture reaches beyond its phone.
        resting: Opening of the mouth in pauses.
        pause_reach_s: How far before and after speech the mouth leaves its rest.
        variation: Standard deviation of how each phone's target differs from the book.
    """

    effort: float = 0.85
    lead_s: float = 0.02
    reach_s: float = 0.05
    resting: float = 0.03
    pause_reach_s: float = 0.12
    variation: float = 0.12

    @staticmethod
    def draw(rng: np.random.Generator) -> Manner:
        """Draws somebody."""
        return Manner(
            effort=float(rng.uniform(0.45, 1.2)),
            lead_s=float(rng.normal(0.015, 0.012)),
            reach_s=float(rng.uniform(0.035, 0.075)),
            resting=float(rng.choice([0.0, 0.03, rng.uniform(0.05, 0.2)])),
            pause_reach_s=float(rng.uniform(0.06, 0.2)),
            variation=float(rng.uniform(0.05, 0.22)),
        )


# phone: opening, width, teeth, tongue, press, pout, strength of lips, strength of jaw
_TARGETS: dict[str, tuple[float, float, float, float, float, float, float, float]] = {
    "pau": (0.00, 0.0, 0.0, 0.0, 0.15, 0.0, 0.7, 0.7),
    "p": (0.00, 0.0, 0.0, 0.0, 0.80, 0.0, 6.0, 6.0),
    "b": (0.00, 0.0, 0.0, 0.0, 0.70, 0.0, 6.0, 6.0),
    "m": (0.00, 0.0, 0.0, 0.0, 0.60, 0.0, 6.0, 6.0),
    "f": (0.08, 0.1, 0.8, 0.0, 0.55, 0.0, 4.0, 4.0),
    "v": (0.10, 0.1, 0.7, 0.0, 0.45, 0.0, 3.5, 3.5),
    "th": (0.22, 0.1, 0.6, 0.8, 0.0, 0.0, 1.0, 1.6),
    "dh": (0.22, 0.1, 0.5, 0.7, 0.0, 0.0, 0.8, 1.2),
    "t": (0.18, 0.2, 0.7, 0.2, 0.0, 0.0, 0.5, 1.0),
    "d": (0.20, 0.2, 0.6, 0.2, 0.0, 0.0, 0.5, 1.0),
    "n": (0.20, 0.2, 0.5, 0.2, 0.0, 0.0, 0.4, 0.8),
    "l": (0.30, 0.1, 0.4, 0.7, 0.0, 0.0, 0.4, 0.9),
    "s": (0.10, 0.4, 1.0, 0.0, 0.0, 0.0, 1.0, 2.4),
    "z": (0.12, 0.4, 1.0, 0.0, 0.0, 0.0, 1.0, 2.2),
    "sh": (0.16, -0.5, 0.9, 0.0, 0.0, 0.7, 2.2, 2.2),
    "zh": (0.16, -0.5, 0.9, 0.0, 0.0, 0.7, 2.2, 2.0),
    "ch": (0.14, -0.5, 0.9, 0.0, 0.0, 0.7, 2.2, 2.2),
    "jh": (0.16, -0.5, 0.9, 0.0, 0.0, 0.7, 2.2, 2.0),
    "r": (0.24, -0.5, 0.3, 0.1, 0.0, 0.5, 1.4, 0.8),
    "w": (0.12, -0.9, 0.0, 0.0, 0.0, 0.9, 3.0, 1.6),
    "y": (0.18, 0.5, 0.6, 0.1, 0.0, 0.0, 0.9, 0.8),
    "k": (0.28, 0.1, 0.4, 0.1, 0.0, 0.0, 0.3, 0.5),
    "g": (0.28, 0.1, 0.4, 0.1, 0.0, 0.0, 0.3, 0.5),
    "ng": (0.28, 0.1, 0.4, 0.1, 0.0, 0.0, 0.3, 0.5),
    "hh": (0.35, 0.0, 0.3, 0.1, 0.0, 0.0, 0.2, 0.3),
    "iy": (0.22, 0.8, 0.8, 0.1, 0.0, 0.0, 1.6, 1.2),
    "ih": (0.32, 0.4, 0.6, 0.2, 0.0, 0.0, 1.0, 1.0),
    "ey": (0.42, 0.6, 0.7, 0.2, 0.0, 0.0, 1.4, 1.3),
    "eh": (0.52, 0.4, 0.6, 0.3, 0.0, 0.0, 1.2, 1.4),
    "ae": (0.75, 0.5, 0.7, 0.4, 0.0, 0.0, 1.4, 1.8),
    "aa": (0.95, 0.0, 0.4, 0.4, 0.0, 0.0, 1.4, 2.0),
    "ah": (0.58, 0.1, 0.5, 0.3, 0.0, 0.0, 1.0, 1.3),
    "ao": (0.75, -0.5, 0.2, 0.2, 0.0, 0.5, 1.8, 1.8),
    "ow": (0.50, -0.8, 0.1, 0.1, 0.0, 0.7, 2.2, 1.4),
    "uh": (0.32, -0.5, 0.2, 0.1, 0.0, 0.5, 1.4, 1.0),
    "uw": (0.20, -0.9, 0.1, 0.0, 0.0, 0.9, 2.4, 1.4),
    "er": (0.32, -0.4, 0.4, 0.1, 0.0, 0.4, 1.4, 1.0),
    "ax": (0.36, 0.1, 0.4, 0.2, 0.0, 0.0, 0.5, 0.6),
}
# Vowels that move: where they end.
_GLIDES = {"ay": ("aa", "ih"), "aw": ("aa", "uh"), "oy": ("ao", "ih")}
_SILENT = {"pau", "sil", "spn", "nsn", "h#", "brth", "ssil"}
_LIPS = np.array([False, True, True, False, True, True])


def motion(
    phones: Sequence[Phone], times_s: Floats, manner: Manner, rng: np.random.Generator
) -> Floats:
    """Returns where the mouth is at some times.

    Args:
        phones: In order; what lies between two counts as silence.
        times_s: (T,) when.
        manner: Who speaks.
        rng: Draws each phone's departure from its target.

    Returns:
        (T, 6), columns as in `GESTURES`.
    """
    pulls = [
        pull for phone in phones for pull in _pulls(phone, phones[0].start_s, phones[-1].end_s)
    ]
    targets = np.array([pull[0][:6] for pull in pulls])
    strengths = np.array([[pull[0][6] if lip else pull[0][7] for lip in _LIPS] for pull in pulls])
    silent = np.array([pull[3] for pull in pulls])
    spread = rng.normal(0.0, manner.variation, targets.shape)
    # A closed mouth is closed; what is open varies.
    targets = targets + spread * np.where(np.abs(targets) > 0.05, np.abs(targets) + 0.15, 0.0)
    scale = np.where(targets > 0, manner.effort, 0.5 + 0.5 * manner.effort)
    targets = targets * scale
    targets[silent, 0] = manner.resting
    middle = np.array([(pull[1] + pull[2]) / 2 for pull in pulls])
    half = np.array([(pull[2] - pull[1]) / 2 for pull in pulls])
    half = np.where(silent, np.maximum(half - manner.pause_reach_s, 0.01), half * 0.5)
    away = np.maximum(np.abs(times_s[:, None] + manner.lead_s - middle) - half, 0.0)  # (T, n)
    near = np.exp(-away / manner.reach_s)
    weights = near[:, :, None] * strengths[None]
    total = weights.sum(axis=1)
    where = (weights * targets[None]).sum(axis=1) / np.maximum(total, 1e-9)
    faint = np.array([manner.resting, 0.0, 0.0, 0.0, 0.1, 0.0])
    # Far from every phone nothing pulls: the mouth rests.
    held = total / (total + 1e-4)
    return where * held + faint * (1 - held)


def _pulls(
    phone: Phone, first_s: float, last_s: float
) -> list[tuple[tuple[float, ...], float, float, bool]]:
    if phone.name in _SILENT:
        # The rest before and after goes on for ever.
        start = phone.start_s - 60 if phone.start_s <= first_s else phone.start_s
        end = phone.end_s + 60 if phone.end_s >= last_s else phone.end_s
        return [(_TARGETS["pau"], start, end, True)]
    if phone.name in _GLIDES:
        turn_s = phone.start_s + 0.6 * (phone.end_s - phone.start_s)
        begin, end = _GLIDES[phone.name]
        return [
            (_TARGETS[begin], phone.start_s, turn_s, False),
            (_TARGETS[end], turn_s, phone.end_s, False),
        ]
    target = _TARGETS.get(phone.name, _TARGETS["ax"])
    if phone.name in ("p", "t", "k", "b", "d", "g", "ch"):
        # The gesture is made during the closure, which ends in the burst.
        return [(target, phone.start_s, phone.start_s + 0.7 * (phone.end_s - phone.start_s), False)]
    return [(target, phone.start_s, phone.end_s, False)]


def read_phones(text: str) -> list[Phone]:
    """Returns the phones of a timing file: a phone and its end in seconds on every line.

    Args:
        text: `hh 0.255`, one a line, in order; ARPAbet in any case, stress digits allowed.

    Raises:
        ValueError: A line is not of that form, or time runs backwards.
    """
    phones: list[Phone] = []
    before_s = 0.0
    for line in text.split("\n"):
        if not line.strip():
            continue
        name, end = line.split()
        end_s = float(end)
        if end_s < before_s:
            raise ValueError(f"{line!r}: ends before the phone before it")
        plain = name.lower().strip("012+<>")
        phones.append(Phone("pau" if plain in _SILENT else plain, before_s, end_s))
        before_s = end_s
    return phones
