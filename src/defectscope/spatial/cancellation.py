"""Filters that cancel crosstalk, or add it, within a cap on what drivers are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from defectscope.errors import InvalidParameterError
from defectscope.spatial.arrays import Complexes, Reals, checked_range, checked_rate
from defectscope.spatial.device import Device, Listener, load_device
from defectscope.spatial.equalisation import tone_gain
from defectscope.spatial.fir import checked_taps, design_grid, taps_at_rate, to_response, to_taps
from defectscope.spatial.head import Crosstalk, crosstalk_at
from defectscope.spatial.paths import ear_paths

TARGET_DB = 12.0
CAP_DB = 7.0
LEVEL_DB = -6.0
TAPS = 256
STEREO_HALF_SPAN_DEG = 30.0

# Cancellation begins and ends here: below, nobody hears directions by it and drivers would be
# asked for much; above, no two heads agree.
_FADE_IN_HZ = (90.0, 140.0)
_FADE_OUT_HZ = (9_000.0, 14_000.0)
# How much of a target is asked for in every band. Above 4 kHz pinnae shape what heads hear, no
# sphere fits them all, and a filter that misses adds crosstalk: less is asked for there, and as
# much more below. The mean over third octaves from 200 Hz to 8 kHz is 1.
_TRUST_HZ = (4_000.0, 7_000.0)
_TRUST = (1.08, 0.47)
LOWEST_LEVEL_DB = -20.0
_TONE_ROUNDS = 2
_CAP_ROUNDS = 8
_CAP_TOLERANCE = 1.001

TargetCurve = float | Sequence[tuple[float, float]]


def crosstalk_filters(
    device: Device | Mapping[str, Any] | str | Path,
    rate_hz: int,
    target_db: TargetCurve = TARGET_DB,
    cap_db: float = CAP_DB,
    *,
    level_db: float = LEVEL_DB,
    taps: int | None = None,
    listener: Listener | None = None,
    crosstalk: Crosstalk | None = None,
    virtual_deg: float | None = None,
) -> Reals:
    """Returns the filters that lower natural crosstalk by a target, (drivers, 2, taps).

    At the ears the far ear's share falls by T(f) while the power of both ears together stays that
    of the plain pair, lowered by `level_db`. Where that takes more driver gain than the cap, the
    cap holds and cancellation gives way. For more than two drivers it is the regularised least
    squares solution, of the least energy: a null at one ear, a given gain at the other.

    Args:
        device: Anything that `load_device` takes.
        rate_hz: Sampling rate, hertz.
        target_db: Reduction of natural crosstalk, decibels, the mean over third octaves from 200 Hz
            to 8 kHz: a little more below 4 kHz, less above, where heads differ. Or its curve,
            (hertz, decibels) pairs, to be taken as it is.
        cap_db: Largest gain from any mixture of left and right to the drivers, decibels.
        level_db: Loudness of the sides at the ears against the plain pair; the lower, the more
            room the cap leaves at low frequencies.
        taps: Length of the filters; by default 256 at 48 kHz and as long at other rates. They
            delay by half of it.
        listener: Where to cancel; by default the device's own listener.
        crosstalk: Numbers that replace the sphere's, for all drivers alike.
        virtual_deg: Virtualisation instead of a target: the crosstalk of a pair at plus and minus
            this angle takes the place of the natural one.

    Raises:
        InvalidParameterError: A parameter is out of range, or the device makes no sense.
    """
    checked = load_device(device)
    rate = checked_rate(rate_hz)
    length = checked_taps(taps if taps is not None else taps_at_rate(TAPS, rate))
    if listener is not None and not isinstance(cast("object", listener), Listener):
        raise InvalidParameterError("listener must be a defectscope.spatial.Listener")
    checked_range("cap_db", cap_db, 0.0, 40.0)
    checked_range("level_db", level_db, LOWEST_LEVEL_DB, 0.0)
    if cap_db < level_db + 0.1:
        raise InvalidParameterError("cap_db must lie above level_db")
    grid = design_grid(length, rate)
    paths = ear_paths(checked, grid, listener, crosstalk)
    natural = paths[:, :, [checked.left, checked.right]]
    if virtual_deg is None:
        wanted = _lowered(natural, _remaining(target_db, grid))
    else:
        checked_range("virtual_deg", virtual_deg, 0.0, 90.0)
        shadow = crosstalk_at(virtual_deg).response(grid)
        wanted = _replaced(natural, shadow, _faded(grid))
    scale = np.linalg.norm(natural, axis=(1, 2)) / np.linalg.norm(wanted, axis=(1, 2))
    wanted = wanted * (scale * 10 ** (level_db / 20))[:, None, None]
    share = _shares(checked, grid)
    power = np.sum(np.abs(wanted) ** 2, axis=(1, 2))
    delay = np.exp(2j * np.pi * grid * (length // 2) / rate)
    tone = np.ones(len(grid))
    # Cutting the response to so many taps adds ripples: the cap is lowered until they fit as well,
    # and what they do to the tone is made up for.
    cap = bound = 10 ** (cap_db / 20)
    excess = 1.0
    found = np.zeros((len(checked.drivers), 2, length))
    for number in range(_TONE_ROUNDS + _CAP_ROUNDS):
        response = solve(paths * share[:, None, :], wanted * tone[:, None, None], bound)
        found = to_taps(np.moveaxis(response * share[:, :, None], 0, -1), length)
        excess = float(driver_gain(found).max()) / cap
        if excess > _CAP_TOLERANCE:
            bound /= excess
        elif number >= _TONE_ROUNDS:
            break
        if number < _TONE_ROUNDS:
            got = paths @ np.moveaxis(to_response(found) * delay, -1, 0)
            tone = tone_gain(got, power, grid, tone)
    return found / max(1.0, excess)


def headphone_filters(
    rate_hz: int, half_span_deg: float = STEREO_HALF_SPAN_DEG, *, taps: int | None = None
) -> Reals:
    """Returns the filters that add the crosstalk of a pair of loudspeakers, (2 ears, 2, taps).

    The power of both ears together stays that of plain headphones.

    Args:
        rate_hz: Sampling rate, hertz.
        half_span_deg: The virtual pair stands at plus and minus this angle.
        taps: Length of the filters; by default 256 at 48 kHz and as long at other rates.

    Raises:
        InvalidParameterError: A parameter is out of range.
    """
    rate = checked_rate(rate_hz)
    checked_range("half_span_deg", half_span_deg, 0.0, 90.0)
    length = checked_taps(taps if taps is not None else taps_at_rate(TAPS, rate))
    grid = design_grid(length, rate)
    far = crosstalk_at(half_span_deg).response(grid)
    near = np.ones_like(far)
    both = np.stack([np.stack([near, far]), np.stack([far, near])])
    return to_taps(both / np.sqrt(1 + np.abs(far) ** 2), length)


def ideal_pair(crosstalk: Complexes, target_db: float) -> Complexes:
    """Returns the unlimited filters of two symmetric drivers, (2, 2, frequencies).

    t = 10^(-T/20), a = (1 - t) / (1 - t m^2), W = [1, -a m; -a m, 1] / (1 - a m^2): the near ear
    keeps unit gain, the far ear's share becomes t m.

    Args:
        crosstalk: The far ear's response over the near one's, (frequencies,).
        target_db: Reduction of crosstalk, decibels.
    """
    left = 10 ** (-target_db / 20)
    a = (1 - left) / (1 - left * crosstalk**2)
    one = np.ones_like(crosstalk)
    cross = -a * crosstalk
    return np.stack([np.stack([one, cross]), np.stack([cross, one])]) / (1 - a * crosstalk**2)


def solve(paths: Complexes, wanted: Complexes, cap: float) -> Complexes:
    """Returns driver signals that give wanted ears within a cap, (frequencies, drivers, 2).

    Every mode of the paths (for a symmetric pair: sum and difference) is inverted with
    regularisation beta = max(0, s / G - s^2), G being the cap over what the mode has to carry, so
    that its gain never exceeds the cap. What a capped mode loses in power, the other one makes
    up, so that limits narrow the image but leave its tone.

    Args:
        paths: (frequencies, 2 ears, drivers).
        wanted: (frequencies, 2 ears, 2 programme channels).
        cap: Largest gain of a mode.
    """
    ears, strength, drivers = np.linalg.svd(paths, full_matrices=False)
    modes = np.conj(np.swapaxes(ears, 1, 2)) @ wanted
    load = np.linalg.norm(modes, axis=2)
    most = cap / np.maximum(load, 1e-12)
    beta = np.maximum(0.0, strength / most - strength**2)
    inverse = strength / np.maximum(strength**2 + beta, 1e-12)
    at_ears = inverse * strength * load
    missing = np.sum(load**2, axis=1) - np.sum(at_ears**2, axis=1)
    free = beta <= 0
    free_power = np.sum(np.where(free, at_ears**2, 0.0), axis=1)
    lift = np.sqrt(1 + np.maximum(missing, 0) / np.maximum(free_power, 1e-12))
    room = np.where(free, most / np.maximum(inverse, 1e-12), 1.0)
    inverse = inverse * np.where(free, np.minimum(lift[:, None], room), 1.0)
    return np.conj(np.swapaxes(drivers, 1, 2)) @ (inverse[:, :, None] * modes)


def driver_gain(taps: Reals) -> Reals:
    """Returns the largest gain from any mixture of left and right, (frequencies,).

    Args:
        taps: (drivers, 2, taps), as `crosstalk_filters` returns them.
    """
    response = np.moveaxis(to_response(taps), -1, 0)
    return np.linalg.svd(response, compute_uv=False)[:, 0]


def _remaining(target_db: TargetCurve, grid: Reals) -> Reals:
    """Returns the share of natural crosstalk that shall remain, (frequencies,)."""
    if not isinstance(target_db, Sequence) and np.ndim(target_db) == 0:
        mean_db = checked_range("target_db", target_db, 0.0, 60.0)
        curve = mean_db * np.interp(np.log(np.maximum(grid, 1.0)), np.log(_TRUST_HZ), _TRUST)
    else:
        try:
            points = np.asarray(target_db, np.float64)
        except (TypeError, ValueError) as error:
            raise InvalidParameterError("target_db must hold numbers") from error
        if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
            raise InvalidParameterError("target_db must be decibels or (hertz, decibels) pairs")
        if (points[:, 0] <= 0).any() or (np.diff(points[:, 0]) <= 0).any():
            raise InvalidParameterError("the frequencies of target_db must rise, from above 0")
        if (points[:, 1] < 0).any() or (points[:, 1] > 60).any():
            raise InvalidParameterError("target_db must be from 0 to 60")
        curve = np.interp(np.log(np.maximum(grid, 1.0)), np.log(points[:, 0]), points[:, 1])
    return 10 ** (-curve * _faded(grid) / 20)


def _shares(device: Device, grid: Reals) -> Reals:
    """Returns how much drivers take part in the sides, (frequencies, drivers).

    Where no model of a head is trusted, drivers that add up at the sphere's ears do not at others:
    the pair plays alone there.
    """
    log = np.log(np.maximum(grid, 1.0) / _TRUST_HZ[0])
    inner = 1 - np.clip(log / np.log(_TRUST_HZ[1] / _TRUST_HZ[0]), 0, 1)
    shares = np.repeat(inner[:, None], len(device.drivers), axis=1)
    shares[:, [device.left, device.right]] = 1.0
    return shares


def _faded(grid: Reals) -> Reals:
    """Returns 1 where filters work, 0 where they leave the pair alone, (frequencies,)."""
    log = np.log(np.maximum(grid, 1.0))
    rise = np.clip((log - np.log(_FADE_IN_HZ[0])) / np.log(_FADE_IN_HZ[1] / _FADE_IN_HZ[0]), 0, 1)
    fall = np.clip(
        (log - np.log(_FADE_OUT_HZ[0])) / np.log(_FADE_OUT_HZ[1] / _FADE_OUT_HZ[0]), 0, 1
    )
    return (0.5 - 0.5 * np.cos(np.pi * rise)) * (0.5 + 0.5 * np.cos(np.pi * fall))


def _lowered(natural: Complexes, remaining: Reals) -> Complexes:
    """Returns the natural ears with their crosstalk lowered."""
    wanted = natural.copy()
    wanted[:, 0, 1] *= remaining
    wanted[:, 1, 0] *= remaining
    return wanted


def _replaced(natural: Complexes, shadow: Complexes, share: Reals) -> Complexes:
    """Returns the natural ears with the crosstalk of another angle."""
    wanted = natural.copy()
    wanted[:, 1, 0] += share * (natural[:, 0, 0] * shadow - natural[:, 1, 0])
    wanted[:, 0, 1] += share * (natural[:, 1, 1] * shadow - natural[:, 0, 1])
    return wanted
