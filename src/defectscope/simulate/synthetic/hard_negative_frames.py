"""The frames of the hard negatives: six seconds each unless the hard negative needs more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.media.frames import Frame
from defectscope.simulate.effects.frames import planes_of, with_planes
from defectscope.simulate.effects.resample import resize
from defectscope.simulate.effects.weaving import weave
from defectscope.simulate.synthetic.lettering import write_text
from defectscope.simulate.synthetic.material import Look, Scene, frame_of

WIDTH, HEIGHT = 320, 180
_SECONDS = 6

_NIGHT = Look(mean_code=30.0, contrast_code=9.0, noise_code=1.4, saturation_code=3.0, objects=2)
_STILL = Look(pan_px_per_s=(0.0, 0.0), objects=0, noise_code=1.0)
_DRAWN = Look(noise_code=0.0, detail=2.2, leaves=60, objects=4, object_px_per_s=160.0)


def _scene(seed: int, look: Look | None = None) -> Scene:
    return Scene(seed, WIDTH, HEIGHT, look)


def _frames(
    make: Callable[[int], list[NDArray[Any]]], count: int = _SECONDS * 25
) -> Iterator[Frame]:
    for index in range(count):
        yield frame_of(make(index), index)


def night_scene(seed: int) -> Iterator[Frame]:
    """Returns a dark street with lamps."""
    scene = _scene(seed, _NIGHT)
    rng = np.random.default_rng([seed, 21])
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    lamps = np.zeros((HEIGHT, WIDTH), np.float32)
    for _ in range(5):
        distance = np.hypot(y - rng.uniform(20, 110), x - rng.uniform(0, WIDTH))
        lamps += 190 * np.exp(-((distance / 5) ** 2)) + 18 * np.exp(-((distance / 30) ** 2))

    def make(index: int) -> list[NDArray[Any]]:
        luma, u, v = scene.frame(index / 25, index)
        return [np.minimum(luma + lamps, 235).astype(np.float32), u, v]

    return _frames(make)


def fade_to_near_black(seed: int) -> Iterator[Frame]:
    """Returns a scene that fades to 8 % of its contrast, stays there, and comes back."""
    scene = _scene(seed)

    def make(index: int) -> list[NDArray[Any]]:
        at_s = index / 25
        gain = float(np.interp(at_s, (1.5, 2.5, 3.5, 4.5), (1.0, 0.08, 0.08, 1.0)))
        luma, u, v = scene.frame(at_s, index)
        faded = [16 + (luma - 16) * gain, 128 + (u - 128) * gain, 128 + (v - 128) * gain]
        return [np.asarray(plane, np.float32) for plane in faded]

    return _frames(make)


def spotlit_stage(seed: int) -> Iterator[Frame]:
    """Returns a lit centre; the hall round it is dark and grainy."""
    scene = _scene(seed)
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    light = np.clip(1.3 - np.hypot(y, x * 1.1) * 1.2, 0.06, 1).astype(np.float32)

    def make(index: int) -> list[NDArray[Any]]:
        luma, u, v = scene.frame(index / 25)
        lit = 18 + (luma - 16) * light + 1.2 * scene.noise(index)
        half = light[::2, ::2]
        return [np.clip(lit, 16, 235), 128 + (u - 128) * half, 128 + (v - 128) * half]

    return _frames(make)


def tripod_shot(seed: int) -> Iterator[Frame]:
    """Returns a scene in which only the sensor noise changes."""
    scene = _scene(seed, _STILL)
    return _frames(lambda index: scene.frame(0.0, index))


def film_grain(seed: int) -> Iterator[Frame]:
    """Returns a moving scene with fine grain of two codes."""
    scene = _scene(seed, Look(noise_code=0.0))
    rng = np.random.default_rng([seed, 22])
    bank = np.asarray(
        ndimage.gaussian_filter(rng.standard_normal((HEIGHT + 64, WIDTH + 64)), 0.7), np.float32
    )
    bank /= bank.std()

    def make(index: int) -> list[NDArray[Any]]:
        luma, u, v = scene.frame(index / 25)
        top, left = np.random.default_rng([seed, 23, index]).integers(0, 64, 2)
        grain = bank[top : top + HEIGHT, left : left + WIDTH]
        return [np.clip(luma + 2.0 * grain, 16, 235), u, v]

    return _frames(make)


def still_slide(seed: int) -> Iterator[Frame]:
    """Returns a moving scene, a still photograph with a title, and the scene again."""
    scene, photograph = _scene(seed), _scene(seed + 500, _STILL)
    slide = photograph.frame(0.0)
    slide[0][130:165] *= 0.45
    write_text(slide[0], "THE HARBOUR 1962", top=140, left=24, scale=2, code=225.0)
    np.clip(slide[0], 16, 235, out=slide[0])
    return _frames(lambda i: slide if 50 <= i < 125 else scene.frame(i / 25, i))


def pixel_art(seed: int) -> Iterator[Frame]:
    """Returns frames of 8 by 8 pixel squares of few colours that scroll by whole squares."""
    rng = np.random.default_rng([seed, 24])
    rows, columns = HEIGHT // 8 + 1, WIDTH // 8 * 3
    palette = np.stack([rng.uniform(30, 220, 12), *rng.uniform(60, 196, (2, 12))])
    world = ndimage.gaussian_filter(rng.standard_normal((rows, columns)), 1.2, mode="wrap")
    levels = np.quantile(world, np.linspace(0, 1, 13)[1:-1])
    tiles = np.digitize(world, levels)

    def make(index: int) -> list[NDArray[Any]]:
        # One square every third frame: 67 pixels a second.
        view = np.take(tiles, np.arange(WIDTH // 8) + index // 3, axis=1, mode="wrap")
        big = [np.kron(palette[k][view], np.ones((8, 8)))[:HEIGHT] for k in range(3)]
        return [
            np.asarray(plane if k == 0 else plane[::2, ::2], np.float32)
            for k, plane in enumerate(big)
        ]

    return _frames(make)


def animation_on_twos(seed: int) -> Iterator[Frame]:
    """Returns flat drawings, a new one every second frame."""
    scene = _scene(seed, _DRAWN)

    def make(index: int) -> list[NDArray[Any]]:
        luma, u, v = scene.frame((index // 2) / 12)
        # Few tones with hard edges, as paint has.
        flat = np.asarray(ndimage.gaussian_filter(luma, 1.2), np.float32)
        return [16 + np.round((flat - 16) / 18) * 18, u, v]

    return _frames(make, 24 * _SECONDS)


def film_24_in_60(seed: int) -> Iterator[Frame]:
    """Returns film whose frames stand for three and two frames in turn."""
    scene = _scene(seed)
    # Frame k of 60 shows film frame floor(k * 24 / 60): runs of 3, 2, 3, 2.
    return _frames(lambda i: scene.frame((i * 2 // 5) / 24, i * 2 // 5), 60 * _SECONDS)


def telecine(seed: int) -> Iterator[Frame]:
    """Returns film by 3:2 pulldown: of five frames, two are woven from two frames."""
    scene = _scene(seed)
    # Which frame of four the top and the bottom field of each of five frames come from.
    fields = ((0, 0), (1, 1), (1, 2), (2, 3), (3, 3))
    made: dict[int, Frame] = {}
    for index in range(_SECONDS * 30):
        top, bottom = (index // 5 * 4 + part for part in fields[index % 5])
        for number in (top, bottom):
            if number not in made:
                made[number] = frame_of(scene.frame(number / 23.976, number), 0)
        made = {number: frame for number, frame in made.items() if number >= top}
        woven = [
            weave(upper, lower, 1, 1.0, 8)
            for upper, lower in zip(planes_of(made[top]), planes_of(made[bottom]), strict=True)
        ]
        shell = Frame(pts=index, duration=1, planes=made[top].planes, bit_depth=8)
        yield with_planes(shell, woven)


def credits_roll(seed: int) -> Iterator[Frame]:
    """Returns names rolling up over black, a pixel and a half a frame."""
    rng = np.random.default_rng([seed, 25])
    letters = np.array(list("ABCDEFGHIJKLMNOPRSTUVWY"))
    names = [
        "".join(rng.choice(letters, int(rng.integers(4, 9))))
        + " "
        + "".join(rng.choice(letters, int(rng.integers(5, 10))))
        for _ in range(24)
    ]
    page: NDArray[np.float32] = np.full((HEIGHT + 24 * 26, WIDTH), 16.0, np.float32)
    for number, name in enumerate(names):
        left = (WIDTH - 12 * len(name)) // 2
        write_text(page, name, top=40 + number * 26, left=left, scale=2, code=220.0)
    grey = np.full((HEIGHT // 2, WIDTH // 2), 128.0, np.float32)

    def make(index: int) -> list[NDArray[Any]]:
        at = index * 1.5
        top, part = int(at), np.float32(at % 1)
        rows = page[top : top + HEIGHT + 1]
        return [rows[:-1] + (rows[1:] - rows[:-1]) * part, grey, grey]

    return _frames(make)


def camera_flashes(seed: int) -> Iterator[Frame]:
    """Returns a scene with single bright frames, never three within a second."""
    scene = _scene(seed)
    lit = {20, 38, 71, 90, 121}

    def make(index: int) -> list[NDArray[Any]]:
        luma, u, v = scene.frame(index / 25, index)
        if index in lit:
            luma = luma + (225 - luma) * np.float32(0.7)
        return [luma, u, v]

    return _frames(make)


def shallow_focus(seed: int) -> Iterator[Frame]:
    """Returns a blurred, slowly panning background and a sharp subject that moves before it."""
    behind = _scene(seed, Look(objects=0, pan_px_per_s=(15.0, 0.0), noise_code=0.0))
    before = _scene(seed + 500, Look(objects=0, pan_px_per_s=(4.0, 2.0), noise_code=0.0))
    y, x = np.mgrid[:HEIGHT, :WIDTH]

    def make(index: int) -> list[NDArray[Any]]:
        at_s = index / 25
        centre = WIDTH * (0.5 + 0.12 * np.sin(at_s * 0.9))
        inside = np.hypot((y - HEIGHT * 0.55) / 75, (x - centre) / 60)
        mask = np.clip((1 - inside) * 30, 0, 1).astype(np.float32)
        far, near = behind.frame(at_s), before.frame(at_s)
        small = resize(far[0], HEIGHT // 8, WIDTH // 8)
        soft = np.asarray(ndimage.gaussian_filter(resize(small, HEIGHT, WIDTH), 2), np.float32)
        half = mask[::2, ::2]
        luma = soft + (near[0] - soft) * mask + 0.8 * behind.noise(index)
        chroma = [a + (b - a) * half for a, b in zip(far[1:], near[1:], strict=True)]
        return [np.clip(luma, 16, 235), *chroma]

    return _frames(make)


def clear_sky(seed: int) -> Iterator[Frame]:
    """Returns a landscape under a smooth sky."""
    scene = _scene(seed, Look(sky=0.55, noise_code=1.0, objects=1))
    return _frames(lambda index: scene.frame(index / 25, index))


def quick_cuts(seed: int) -> Iterator[Frame]:
    """Returns a new shot every second."""
    scenes = [_scene(seed + 100 * shot) for shot in range(_SECONDS)]
    return _frames(lambda index: scenes[index // 25].frame(index / 25, index))
