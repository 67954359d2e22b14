"""Hard negatives on black: cards, logos and spinners that light a small part of a black frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.media.frames import Frame
from defectscope.simulate.synthetic.hard_negative_frames import HEIGHT, WIDTH
from defectscope.simulate.synthetic.lettering import write_text
from defectscope.simulate.synthetic.material import Scene, frame_of

_FRAMES = 150
_CARD = range(35, 120)


def _black() -> list[NDArray[Any]]:
    half = np.full((HEIGHT // 2, WIDTH // 2), 128.0, np.float32)
    return [np.full((HEIGHT, WIDTH), 16.0, np.float32), half, half]


def title_on_black(seed: int) -> Iterator[Frame]:
    """Yields a scene, a card with a short title on black, and the scene again; cuts between."""
    scene = Scene(seed, WIDTH, HEIGHT, None)
    card = _black()
    write_text(card[0], "TEN YEARS LATER", top=86, left=115, scale=1, code=200.0)
    for index in range(_FRAMES):
        planes = card if index in _CARD else scene.frame(index / 25, index)
        yield frame_of(planes, index)


def spinner_on_black(seed: int) -> Iterator[Frame]:
    """Yields a scene that gives way to a spinner, as an application shows while it waits."""
    scene = Scene(seed, WIDTH, HEIGHT, None)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    down, right = y - HEIGHT / 2, x - WIDTH / 2
    ring = np.clip(1.5 - np.abs(np.hypot(down, right) - 7), 0, 1)
    angle = np.arctan2(down, right)
    for index in range(_FRAMES):
        if index not in _CARD:
            yield frame_of(scene.frame(index / 25, index), index)
            continue
        planes = _black()
        # One turn a second, with a tail that fades over three quarters of it.
        behind = (2 * np.pi * index / 25 - angle) % (2 * np.pi) / (2 * np.pi)
        planes[0] += np.asarray(160 * ring * np.clip(1 - behind / 0.75, 0, 1), np.float32)
        yield frame_of(planes, index)
