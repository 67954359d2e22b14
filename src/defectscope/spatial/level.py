"""How far a rendering must be lowered for its cap to leave a target in reach."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from defectscope.spatial.arrays import checked_rate
from defectscope.spatial.cancellation import (
    CAP_DB,
    LOWEST_LEVEL_DB,
    TARGET_DB,
    crosstalk_filters,
)
from defectscope.spatial.device import Device, Listener, load_device
from defectscope.spatial.measures import (
    band_points_hz,
    cancellation_db,
    response_at,
    third_octaves_hz,
)
from defectscope.spatial.paths import ear_paths

# What a cap may take from the mean cancellation before the level is lowered, decibels.
_CAP_COST_DB = 0.5
_STEP = 2


def level_for_target(
    device: Device | Mapping[str, Any] | str | Path,
    rate_hz: int,
    target_db: float = TARGET_DB,
    cap_db: float = CAP_DB,
    *,
    listener: Listener | None = None,
) -> float:
    """Returns how much a rendering must be lowered for the cap to leave room, decibels, 0 to -20.

    The farther a narrow pair, the less its channels differ at the ears, and the more gain their
    difference takes at low frequencies. The level is the highest at which the cap costs no more
    than a small part of the cancellation, on the model of the head.

    Args:
        device: Anything that `load_device` takes.
        rate_hz: Sampling rate, hertz.
        target_db: Reduction of natural crosstalk, decibels.
        cap_db: Largest gain to the drivers, decibels.
        listener: Where to cancel; by default the device's own listener.

    Raises:
        InvalidParameterError: A parameter is out of range, or the device makes no sense.
    """
    checked = load_device(device)
    bands = third_octaves_hz(high_hz=min(8_000.0, 0.4 * checked_rate(rate_hz)))
    points = band_points_hz(bands).ravel()
    paths = ear_paths(checked, points, listener)
    natural = paths[:, :, [checked.left, checked.right]]

    def reached_db(level_db: float) -> float:
        taps = crosstalk_filters(
            checked, rate_hz, target_db, cap_db, level_db=level_db, listener=listener
        )
        ears = paths @ np.moveaxis(response_at(taps, rate_hz, points), -1, 0)
        return float(cancellation_db(ears, natural, len(bands)).mean())

    # Neither rises nor falls all the way: a low level asks short filters for bass they cannot do.
    highest = min(0, int(cap_db) - 1)
    found = {level: reached_db(level) for level in range(int(LOWEST_LEVEL_DB), highest + 1, _STEP)}
    wanted = max(found.values()) - _CAP_COST_DB
    level = max(level for level, reached in found.items() if reached >= wanted)
    for higher in range(min(level + _STEP - 1, highest), level, -1):
        if reached_db(higher) >= wanted:
            return float(higher)
    return float(level)
