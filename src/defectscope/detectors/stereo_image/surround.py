"""What can be wrong with centre and effects of a surround layout, which have no partner.

A centre that is digital silence from end to end, while the front plays, is a stereo programme in a
surround file. An effects channel with a full band holds what belongs elsewhere: the order of the
channels is not what the layout says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from defectscope.detection.tables import column
from defectscope.detectors.stereo_image.faults import Fault
from defectscope.detectors.stereo_image.image import Pair
from defectscope.detectors.stereo_image.meter import HOPS_HZ, to_dbfs
from defectscope.findings import Table

# Softer than any dither of 16 bits.
_NOTHING_DBFS = -100.0


def centre_missing(
    table: Table, front: Pair, channels: Sequence[str], tuned: Mapping[str, float], min_s: float
) -> Fault | None:
    """Gives the whole programme where its centre never sounds and its front does."""
    if "FC" not in channels:
        return None
    centre = to_dbfs(column(table, f"level_{channels.index('FC')}"))
    playing = front.total >= tuned["active_dbfs"]
    if centre.max() > _NOTHING_DBFS or playing.sum() < min_s * HOPS_HZ:
        return None
    return Fault((0, len(centre)), float(np.median(front.total[playing] - _NOTHING_DBFS)))


def effects_full_band(
    table: Table, channels: Sequence[str], tuned: Mapping[str, float], min_s: float
) -> Fault | None:
    """Gives where the effects channel carries more than low frequencies.

    Source: ITU-R BS.775, which ends the effects channel at 120 Hz. At 48 kHz a tone of 120 Hz
    changes from sample to sample by 36 dB less than its level, one of 240 Hz by 30 dB less.
    """
    if "LFE" not in channels:
        return None
    level = to_dbfs(column(table, f"level_{channels.index('LFE')}"))
    edge = to_dbfs(column(table, "effects_edge"))
    rows = np.flatnonzero(level >= tuned["active_dbfs"])
    if len(rows) < min_s * HOPS_HZ:
        return None
    under = level[rows] - edge[rows]
    if np.mean(under < tuned["effects_edge_db"]) < 0.5:
        return None
    return Fault((int(rows[0]), int(rows[-1]) + 1), float(np.median(under)))
