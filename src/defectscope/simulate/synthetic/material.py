"""Moving frames made from a seed that look natural to a detector, so that tests need no media.

A scene is a world of overlapping leaves with 1/f texture, seen by a drifting camera, with textured
objects moving through it, light that breathes, and sensor noise: edges, gradients, detail and
motion have the statistics that detectors rely on. A frame is a function of time, so any frame
rate, field or repeated frame can be taken from the same scene.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.media.frames import Frame, Plane
from defectscope.simulate.effects.frames import to_native

Codes = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a scene looks like.

    Attributes:
        pan_px_per_s: Camera drift to the right and down, in pixels a second.
        objects: Textured things that move on their own.
        object_px_per_s: How fast they move.
        mean_code: Mean luma, in codes.
        contrast_code: Standard deviation of the luma, in codes.
        noise_code: Standard deviation of the sensor noise, in codes.
        saturation_code: Standard deviation of either colour difference, in codes.
        leaves: Overlapping discs in a frame's area: edges of every size.
        sky: Share of the height, from the top, that is a smooth gradient.
        detail: Exponent of the texture's amplitude spectrum; 1 is natural, more is softer.
    """

    pan_px_per_s: tuple[float, float] = (60.0, 8.0)
    objects: int = 3
    object_px_per_s: float = 120.0
    mean_code: float = 112.0
    contrast_code: float = 38.0
    noise_code: float = 0.8
    saturation_code: float = 14.0
    leaves: int = 160
    sky: float = 0.0
    detail: float = 1.0


class Scene:
    """A world and its camera; `frame` looks at it."""

    def __init__(self, seed: int, width: int, height: int, look: Look | None = None) -> None:
        """Builds the world.

        Args:
            seed: Everything follows from it.
            width: Frame width in pixels, even.
            height: Frame height in pixels, even.
            look: What it looks like.
        """
        self.look = look or Look()
        self.width, self.height = width, height
        self._seed = seed
        rng = np.random.default_rng([seed, 1])
        # Even sizes keep the colour planes in step with the luma where the world wraps round.
        self._world_h, self._world_w = height + height // 2 // 2 * 2, width + width // 2 // 2 * 2
        luma, *chroma = _leaves(rng, self._world_h, self._world_w, self.look)
        self._luma = _wrapped(luma, height, width)
        self._chroma = [_wrapped(plane, height // 2, width // 2) for plane in chroma]
        self._objects = [_Thing(rng, width, height, self.look) for _ in range(self.look.objects)]
        self._noise = rng.standard_normal((height + 64, width + 64), dtype=np.float32)
        self._start = rng.uniform(0, 1, 2) * (self._world_w, self._world_h)
        self._breath_hz, self._breath_phase = rng.uniform(0.1, 0.3), rng.uniform(0, 6.28)
        if self.look.sky > 0:
            self._sky = _sky(rng, width, height, self.look.sky)

    def frame(self, time_s: float, noise_key: int | None = None) -> list[Codes]:
        """Returns what the camera sees at an instant.

        Args:
            time_s: When.
            noise_key: Chooses the sensor noise; None is a noiseless camera.

        Returns:
            Luma (height, width) and two colour planes of half its size, float32 codes.
        """
        look = self.look
        at_x = self._start[0] + look.pan_px_per_s[0] * time_s
        at_y = self._start[1] + look.pan_px_per_s[1] * time_s
        at_x, at_y = at_x % self._world_w, at_y % self._world_h
        luma = _window(self._luma, at_x, at_y, self.width, self.height)
        chroma = [
            _window(plane, at_x / 2, at_y / 2, self.width // 2, self.height // 2)
            for plane in self._chroma
        ]
        if look.sky > 0:
            ramp, share = self._sky
            luma += (ramp - luma) * share
            for plane, tint in zip(chroma, (10.0, -8.0), strict=True):
                plane += (np.float32(tint) - plane) * share[::2][: plane.shape[0]]
        for thing in self._objects:
            thing.paint(luma, chroma, time_s)
        breath = 1 + 0.02 * np.sin(2 * np.pi * self._breath_hz * time_s + self._breath_phase)
        luma = (luma - 16) * np.float32(breath) + 16
        if noise_key is not None and look.noise_code > 0:
            luma += self.noise(noise_key) * np.float32(look.noise_code)
        # Cameras clip at nominal black and white.
        np.clip(luma, 16, 235, out=luma)
        return [luma, *(np.clip(plane + 128, 16, 240) for plane in chroma)]

    def noise(self, key: int) -> Codes:
        """Returns one frame of sensor noise with standard deviation 1, from a bank."""
        rng = np.random.default_rng([self._seed, 2, key])
        y, x = rng.integers(0, 64, 2)
        sign = np.float32(1 if rng.integers(2) else -1)
        return self._noise[y : y + self.height, x : x + self.width] * sign


class _Thing:
    """A textured ellipse on its own course."""

    def __init__(self, rng: np.random.Generator, width: int, height: int, look: Look) -> None:
        size = float(rng.uniform(0.12, 0.3)) * height
        self._h = max(4, int(size) // 2 * 2)
        self._w = max(4, int(size * rng.uniform(0.7, 1.6)) // 2 * 2)
        texture = pink_field(rng, self._h, self._w, look.detail)
        self._luma = rng.uniform(60, 190) + texture * np.float32(look.contrast_code * 0.6)
        y, x = np.ogrid[-1 : 1 : self._h * 1j, -1 : 1 : self._w * 1j]
        edge = 1 - np.sqrt(y * y + x * x)
        self._alpha = np.clip(edge * self._h / 3, 0, 1).astype(np.float32)
        self._tint = rng.normal(0, look.saturation_code * 1.5, 2)
        self._x, self._y = rng.uniform(0, width), rng.uniform(0, height)
        angle = rng.uniform(0, 2 * np.pi)
        speed = look.object_px_per_s * rng.uniform(0.5, 1.2)
        self._speed = (speed * np.cos(angle), 0.5 * speed * np.sin(angle))

    def paint(self, luma: Codes, chroma: Sequence[Codes], time_s: float) -> None:
        height, width = luma.shape
        # Leaves the frame on one side and comes back on the other; even pixels for the chroma.
        x = int((self._x + self._speed[0] * time_s) % (width + self._w)) // 2 * 2 - self._w
        y = int((self._y + self._speed[1] * time_s) % (height + self._h)) // 2 * 2 - self._h
        top, left = max(0, y), max(0, x)
        bottom, right = min(height, y + self._h), min(width, x + self._w)
        if top >= bottom or left >= right:
            return
        inside = np.s_[top - y : bottom - y, left - x : right - x]
        alpha = self._alpha[inside]
        target = luma[top:bottom, left:right]
        target += (self._luma[inside] - target) * alpha
        half = alpha[::2, ::2]
        for plane, tint in zip(chroma, self._tint, strict=True):
            part = plane[top // 2 : bottom // 2, left // 2 : right // 2]
            fitting = half[: part.shape[0], : part.shape[1]]
            part += (np.float32(tint) - part) * fitting


def pink_field(rng: np.random.Generator, height: int, width: int, exponent: float) -> Codes:
    """Returns a random field with a 1/f^exponent amplitude spectrum, mean 0, deviation 1, periodic.

    Source: D. J. Field, "Relations between the statistics of natural images and the response
    properties of cortical cells", J. Opt. Soc. Am. A 4 (1987): natural amplitude falls as 1/f.
    """
    white = np.fft.rfft2(rng.standard_normal((height, width), dtype=np.float32))
    fy = np.fft.fftfreq(height)[:, None] * height
    fx = np.fft.rfftfreq(width)[None, :] * width
    radius = np.hypot(fy, fx)
    radius[0, 0] = np.inf
    shaped = np.fft.irfft2(white / radius**exponent, s=(height, width))
    return (shaped / shaped.std()).astype(np.float32)


def _leaves(rng: np.random.Generator, height: int, width: int, look: Look) -> list[Codes]:
    """Discs of every size on top of each other, each with its own colour and a share of texture.

    Returns:
        Luma in codes, and two colour planes of half its size, in codes about 0.
    """
    sizes = ((height, width), (height // 2, width // 2), (height // 2, width // 2))
    exponents = (max(1.2, look.detail), 1.4, 1.4)
    planes = [
        pink_field(rng, *size, exponent) * np.float32(0.8)
        for size, exponent in zip(sizes, exponents, strict=True)
    ]
    for _ in range(look.leaves):
        # Radii fall off as a power law, as the sizes of things in view do.
        radius = min(0.35, 0.02 / (1 - float(rng.uniform(0, 0.97))) ** 0.7) * height
        squeeze = float(rng.uniform(0.6, 1.0))
        cy, cx = float(rng.integers(height)), float(rng.integers(width))
        color = rng.normal(0, 1.0, 3).astype(np.float32)
        for plane, part, value in zip(planes, (1, 2, 2), color, strict=True):
            _disc(plane, (cy / part, cx / part), radius / part, squeeze, value)
    planes[0] += pink_field(rng, height, width, look.detail) * np.float32(0.45)
    spreads = (look.contrast_code, look.saturation_code, look.saturation_code)
    out = [
        (plane - plane.mean()) / plane.std() * np.float32(spread)
        for plane, spread in zip(planes, spreads, strict=True)
    ]
    out[0] += np.float32(look.mean_code)
    return [plane.astype(np.float32, copy=False) for plane in out]


def _disc(
    plane: Codes, centre: tuple[float, float], radius: float, squeeze: float, value: np.float32
) -> None:
    """Paints an ellipse with a soft edge of one sample; the plane wraps round."""
    height, width = plane.shape
    (cy, cx), reach = centre, int(radius) + 2
    across = min(width // 2 - 1, int(radius / squeeze) + 2)
    rows = np.arange(int(cy) - reach, int(cy) + reach + 1)
    columns = np.arange(int(cx) - across, int(cx) + across + 1)
    distance = np.hypot(rows[:, None] - cy, (columns[None, :] - cx) * squeeze)
    alpha = np.clip(radius - distance + 0.5, 0, 1).astype(np.float32)
    where = np.ix_(rows % height, columns % width)
    plane[where] += (value - plane[where]) * alpha


def _sky(rng: np.random.Generator, width: int, height: int, share: float) -> tuple[Codes, Codes]:
    """A gradient and how strongly it covers each row."""
    rows = np.arange(height, dtype=np.float32)[:, None] / height
    tilt = np.float32(rng.uniform(-10, 10)) * np.linspace(0, 1, width, dtype=np.float32)
    ramp = np.float32(150) + (rows / np.float32(share)) * np.float32(45) + tilt
    cover = np.clip((share - rows) * 12, 0, 1).astype(np.float32)
    return ramp.astype(np.float32), cover


def _wrapped(world: Codes, height: int, width: int) -> Codes:
    return np.pad(world, ((0, height + 1), (0, width + 1)), mode="wrap")


def _window(world: Codes, x: float, y: float, width: int, height: int) -> Codes:
    """A view at a fractional position, straight lines between pixels."""
    left, top = int(x), int(y)
    fx, fy = np.float32(x - left), np.float32(y - top)
    rows = world[top : top + height + 1, left : left + width + 1]
    across = rows[:, :-1] + (rows[:, 1:] - rows[:, :-1]) * fx
    return (across[:-1] + (across[1:] - across[:-1]) * fy).astype(np.float32, copy=False)


def frame_of(codes: Sequence[NDArray[Any]], pts: int, bit_depth: int = 8) -> Frame:
    """Returns planes of codes as a frame of one tick."""
    native = [to_native(plane, bit_depth) for plane in codes]
    planes = tuple(Plane(plane, plane.shape[1], plane.shape[0]) for plane in native)
    return Frame(pts=pts, duration=1, planes=planes, bit_depth=bit_depth)


@dataclass(frozen=True, slots=True, kw_only=True)
class Footage:
    """A clip of one or more scenes.

    Attributes:
        seed: Everything follows from it.
        width: Frame width in pixels, even.
        height: Frame height in pixels, even.
        frames: How many.
        rate: Frames per second.
        cuts_s: Instants at which a new scene begins.
        bit_depth: Bits of a sample.
        look: What the scenes look like.
    """

    seed: int
    width: int = 320
    height: int = 180
    frames: int = 100
    rate: Fraction = Fraction(25)
    cuts_s: tuple[float, ...] = ()
    bit_depth: int = 8
    look: Look = field(default_factory=Look)

    def __iter__(self) -> Iterator[Frame]:
        """Returns the frames, one tick of 1/rate apart."""
        shot = -1
        scene: Scene | None = None
        for index in range(self.frames):
            time_s = float(index / self.rate)
            wanted = sum(time_s >= cut for cut in self.cuts_s)
            if scene is None or wanted != shot:
                shot = wanted
                scene = Scene(self.seed * 1000 + shot, self.width, self.height, self.look)
            yield frame_of(scene.frame(time_s, index), index, self.bit_depth)
