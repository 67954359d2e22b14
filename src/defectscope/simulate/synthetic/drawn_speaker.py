"""A drawn face that talks: drawn well enough that the face models find it, its lips in step.

The face stands still; the mouth is that of `mouth_frames`, moved by the phones that are heard.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from defectscope.media.frames import Frame
from defectscope.simulate.synthetic.material import frame_of
from defectscope.simulate.synthetic.mouth_frames import Inside, Pose, drawn_still, render
from defectscope.simulate.synthetic.mouth_motion import Manner, Phone, motion

ndimage = cast("Any", scipy.ndimage)
Floats = NDArray[np.float64]

SIDE_PX = 256
RATE_FPS = 25
_SKIN = (205.0, 160.0, 135.0)
_HAIR = (50.0, 35.0, 25.0)
_MOUTH_HEIGHT_PX, _MOUTH_WIDTH_PX = 60, 80
_MOUTH_X_PX, _MOUTH_Y_PX = 128, 176
# How red, green and blue follow the luma of the mouth: what is dark there is reddish.
_MOUTH_TINT = (0.8, 1.15, 1.1)
# Source: ITU-R BT.709-6, 3.2, limited range.
_RGB_TO_LUMA = np.array([0.1826, 0.6142, 0.0620])
_RGB_TO_BLUE = np.array([-0.1006, -0.3386, 0.4392])
_RGB_TO_RED = np.array([0.4392, -0.3989, -0.0403])

_VOWELS_HZ = {"aa": (730, 1090), "iy": (270, 2290), "uw": (300, 870), "ae": (660, 1720)}
_CONSONANTS = ("m", "b", "p", "f", "s", "sh", "w")
_HISSING = {"f": 0.03, "s": 0.08, "sh": 0.08}


def phones_of(seed: int, length_s: float) -> list[Phone]:
    """Draws syllables of a consonant and a vowel, with pauses between words."""
    rng = np.random.default_rng([seed, 21])
    phones: list[Phone] = []
    at_s = 0.2
    left = int(rng.integers(2, 5))
    while at_s < length_s:
        for kind, low_s, high_s in ((_CONSONANTS, 0.07, 0.13), (tuple(_VOWELS_HZ), 0.10, 0.24)):
            end_s = at_s + float(rng.uniform(low_s, high_s))
            phones.append(Phone(str(rng.choice(kind)), at_s, end_s))
            at_s = end_s
        left -= 1
        if left == 0:
            end_s = at_s + float(rng.uniform(0.15, 0.45))
            phones.append(Phone("pau", at_s, end_s))
            at_s, left = end_s, int(rng.integers(2, 5))
    return phones


def speech_of(
    phones: Sequence[Phone], seed: int, length_s: float, rate_hz: int
) -> NDArray[np.float32]:
    """Returns the sound of phones, (samples, 1) float32, with a room's noise beneath."""
    rng = np.random.default_rng([seed, 22])
    count = round(length_s * rate_hz)
    out = rng.standard_normal(count) * 3e-4
    for phone in phones:
        first, last = (round(t * rate_hz) for t in (phone.start_s, phone.end_s))
        times_s = np.arange(last - first) / rate_hz
        if phone.name in _VOWELS_HZ:
            sound = _vowel(times_s, _VOWELS_HZ[phone.name], float(rng.uniform(110, 140)))
        elif phone.name in _HISSING:
            noise = np.diff(rng.standard_normal(len(times_s) + 1))
            sound = noise * _HISSING[phone.name] * np.hanning(len(times_s))
        elif phone.name in ("m", "w"):
            sound = 0.25 * _vowel(times_s, (250, 800), 120.0)
        else:
            continue
        inside = sound[: max(0, count - first)]
        out[first : first + len(inside)] += inside
    return out.astype(np.float32)[:, None]


def _vowel(times_s: Floats, formants_hz: tuple[int, int], pitch_hz: float) -> Floats:
    harmonics_hz = pitch_hz * np.arange(1, 30)
    gains = sum(
        level / (1 + ((harmonics_hz - formant_hz) / 120.0) ** 2)
        for formant_hz, level in zip(formants_hz, (1.0, 0.5), strict=True)
    )
    waves = np.sin(2 * np.pi * harmonics_hz[:, None] * times_s)
    return 0.12 * np.asarray(gains @ waves) * np.hanning(len(times_s)) ** 0.4


def talking_frames(phones: Sequence[Phone], seed: int, frames: int) -> Iterator[Frame]:
    """Returns frames of 256 x 256 px at 25 a second of a face that says the phones."""
    rng = np.random.default_rng([seed, 23])
    still, skin_code = drawn_still(rng)
    # The middle of the exposure is what a frame shows.
    times_s = (np.arange(frames) + 0.25) / RATE_FPS
    none = np.zeros(frames)
    manner = Manner(effort=1.0, variation=0.05)
    gestures = motion(phones, times_s, manner, rng)
    crops = render(
        still,
        Inside.draw(rng, skin_code),
        np.asarray(gestures, np.float64),
        Pose(x=none, y=none, turn_rad=none, scale=np.ones(frames), yaw=none),
    )
    face = drawn_face()
    for index, crop in enumerate(crops):
        yield frame_of(_as_planes(_with_mouth(face, crop)), index)


def drawn_face() -> Floats:
    """Returns a face without a mouth, (256, 256, 3) RGB: shaded skin, eyes, brows, nose, hair."""
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX].astype(np.float64)
    rgb = np.full((SIDE_PX, SIDE_PX, 3), (90.0, 110.0, 130.0))

    def ellipse(cx: float, cy: float, rx: float, ry: float) -> Floats:
        return (np.hypot((x - cx) / rx, (y - cy) / ry) - 1) * min(rx, ry)

    def paint(distance: Floats, rgb_codes: tuple[float, ...], soft_px: float = 1.5) -> None:
        share = np.clip(0.5 - distance / (2 * soft_px), 0, 1)[..., None]
        rgb[:] = rgb * (1 - share) + np.array(rgb_codes) * share

    def darken(cx: float, cy: float, rx: float, ry: float, by: float) -> None:
        rgb[:] *= 1 - by * np.exp(-(((x - cx) / rx) ** 2) - ((y - cy) / ry) ** 2)[..., None]

    middle = float(_MOUTH_X_PX)
    paint(ellipse(middle, 275, 95, 60), (60.0, 60.0, 110.0))
    neck = np.maximum(np.abs(x - middle) - 28, np.abs(y - 200) - 40)
    paint(neck, tuple(0.8 * v for v in _SKIN))
    paint(ellipse(middle, 105, 72, 82), _HAIR)
    paint(ellipse(middle, 128, 58, 78), _SKIN)
    inside = np.clip(0.5 - ellipse(middle, 128, 58, 78) / 3, 0, 1)[..., None]
    shade = 1 - 0.28 * ((x - middle) / 58) ** 2 - 0.12 * np.clip((y - 140) / 70, 0, 1)
    shade += 0.06 * np.exp(-(((x - middle) / 14) ** 2) - ((y - 135) / 30) ** 2)
    shade += 0.05 * np.exp(-(((y - 85) / 18) ** 2) - ((x - middle) / 30) ** 2)
    rgb[:] = rgb * (1 - inside) + rgb * shade[..., None] * inside
    paint(np.minimum(ellipse(108, 62, 50, 24), ellipse(148, 62, 50, 24)), _HAIR, 2)
    for side in (-1, 1):
        eye_x, eye_y = middle + side * 24, 112
        darken(eye_x, eye_y - 2, 17, 11, 0.25)
        eyeball = ellipse(eye_x, eye_y, 11, 5.5)
        paint(eyeball, (235.0, 232.0, 228.0), 1)
        paint(np.maximum(ellipse(eye_x, eye_y, 5.2, 5.2), eyeball), (70.0, 45.0, 30.0), 1)
        paint(ellipse(eye_x, eye_y, 2.3, 2.3), (10.0, 8.0, 8.0), 0.8)
        paint(ellipse(eye_x + 1.5, eye_y - 1.5, 1, 1), (250.0, 250.0, 250.0), 0.6)
        lid = np.abs(y - (eye_y - 5.2 + (x - eye_x) ** 2 / 40)) - 1.1
        paint(np.maximum(lid, np.abs(x - eye_x) - 12), (55.0, 35.0, 28.0), 0.8)
        brow = np.abs(y - (eye_y - 15 + (x - eye_x - side * 2) ** 2 / 70)) - 2.2
        paint(np.maximum(brow, np.abs(x - eye_x) - 14), (60.0, 42.0, 30.0), 1.2)
        darken(middle + side * 7, 152, 3.2, 2.2, 0.55)
        darken(middle + side * 9, 135, 3, 18, 0.1)
    darken(middle, 152, 13, 5, 0.22)
    return np.clip(ndimage.gaussian_filter(rgb, (0.7, 0.7, 0)), 0, 255)


def _with_mouth(face: Floats, crop: NDArray[np.float32]) -> Floats:
    """Puts a (48, 64) mouth of luma codes into the face, fading into its skin."""
    zoom = (_MOUTH_HEIGHT_PX / crop.shape[0], _MOUTH_WIDTH_PX / crop.shape[1])
    large = ndimage.zoom(crop.astype(np.float64), zoom, order=1)
    skin = max(1.0, float(np.median(np.concatenate([large[:, :6], large[:, -6:]], axis=1))))
    tinted = np.stack([(np.clip(large, 1, None) / skin) ** power for power in _MOUTH_TINT], axis=2)
    rows, columns = np.mgrid[:_MOUTH_HEIGHT_PX, :_MOUTH_WIDTH_PX]
    down = (rows - _MOUTH_HEIGHT_PX / 2) / (_MOUTH_HEIGHT_PX / 2)
    across = (columns - _MOUTH_WIDTH_PX / 2) / (_MOUTH_WIDTH_PX / 2)
    share = (np.clip(1 - np.maximum(across**4, down**4), 0, 1) ** 0.7)[..., None]
    top, left = _MOUTH_Y_PX - _MOUTH_HEIGHT_PX // 2, _MOUTH_X_PX - _MOUTH_WIDTH_PX // 2
    out = face.copy()
    region = out[top : top + _MOUTH_HEIGHT_PX, left : left + _MOUTH_WIDTH_PX]
    region *= 1 - share + tinted * share
    return np.clip(out, 0, 255)


def _as_planes(rgb: Floats) -> list[NDArray[np.float32]]:
    """Converts (height, width, 3) RGB to 4:2:0 planes of codes in limited range."""
    halves = rgb.reshape(SIDE_PX // 2, 2, SIDE_PX // 2, 2, 3).mean(axis=(1, 3))
    return [
        (rgb @ _RGB_TO_LUMA + 16).astype(np.float32),
        (halves @ _RGB_TO_BLUE + 128).astype(np.float32),
        (halves @ _RGB_TO_RED + 128).astype(np.float32),
    ]
