"""What can be wrong with centre and effects of a surround layout, which have no partner.

A centre that is digital silence from end to end, while the front plays, is a stereo programme in a
surround file. An effects channel with a full band holds what belongs elsewhere; where another
channel holds low frequencies alone, the order of the channels is not what the layout says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.stereo_image.faults import Fault
from defectscope.detectors.stereo_image.image import Pair
from defectscope.detectors.stereo_image.meter import HOPS_HZ, HOPS_PER_LOOK, to_dbfs
from defectscope.measurements import Table
from defectscope.temporal.tables import column

_LOOKS_HZ = HOPS_HZ / HOPS_PER_LOOK
# Softer than any dither of 16 bits.
_NOTHING_DBFS = -100.0


def centre_missing(
    table: Table, front: Pair, channels: Sequence[str], tuned: Mapping[str, float], min_s: float
) -> Fault | None:
    """Returns the whole programme where its centre never sounds and its front does."""
    if "FC" not in channels:
        return None
    centre = to_dbfs(column(table, f"level_{channels.index('FC')}"))
    playing = front.total >= tuned["active_dbfs"]
    if centre.max() > _NOTHING_DBFS or playing.sum() < min_s * HOPS_HZ:
        return None
    return Fault((0, len(centre)), float(np.median(front.total[playing] - _NOTHING_DBFS)))


def effects_full_band(
    table: Table,
    looks: Table,
    channels: Sequence[str],
    tuned: Mapping[str, float],
    min_s: float,
) -> Fault | None:
    """Returns where the effects channel carries more than low frequencies.

    Source: ITU-R BS.775, which ends the effects channel at 120 Hz. At 48 kHz a tone of 120 Hz
    changes from sample to sample by 36 dB less than its level, one of 240 Hz by 30 dB less.
    """
    if "LFE" not in channels:
        return None
    rows, under = _under(table, looks, channels.index("LFE"), tuned)
    if len(rows) < min_s * _LOOKS_HZ or np.mean(under < tuned["effects_edge_db"]) < 0.5:
        return None
    return Fault((int(rows[0]), int(rows[-1]) + 1), float(np.median(under)))


def effects_elsewhere(
    table: Table,
    looks: Table,
    channels: Sequence[str],
    tuned: Mapping[str, float],
    min_s: float,
) -> list[str]:
    """Returns the one channel that holds low frequencies alone, as effects do.

    Film's order (L C R Ls Rs LFE) and that of MPEG (C L R Ls Rs LFE) end with the effects, those of
    files (L R C LFE Ls Rs) do not: read as the other they put a surround into the effects, and the
    effects into a surround.
    """
    low: list[str] = []
    for index, name in enumerate(channels):
        rows, under = _under(table, looks, index, tuned)
        audible = len(rows) >= min_s * _LOOKS_HZ
        if name != "LFE" and audible and np.mean(under >= tuned["effects_edge_db"]) >= 0.9:
            low.append(name)
    return low if len(low) == 1 else []


def _under(
    table: Table, looks: Table, index: int, tuned: Mapping[str, float]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns the hops at which a channel sounds, and how far its high part is below its level."""
    rows = np.searchsorted(column(table, "row"), column(looks, "row"))
    level = to_dbfs(column(table, f"level_{index}"))[rows]
    loud = level >= tuned["active_dbfs"]
    edge = to_dbfs(column(looks, f"edge_{index}"))
    return rows[loud].astype(np.int64), (level - edge)[loud]
