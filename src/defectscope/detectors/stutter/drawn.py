"""Content that is drawn, or a screen: what stands there is meant to stand.

A cartoon holds each drawing as long as the story wants, a game or a spreadsheet changes when
something happens. Neither has the noise of a camera: a small part of the frame moves, by fits and
starts, on a ground that stands exactly. Nobody misses a frame there, and nothing tells one that is
missing from one that was never drawn.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.stutter.motion import Motion
from defectscope.detectors.stutter.windows import window_means

Flags = NDArray[np.bool_]

# Frames on either side that say what content it is.
_REACH = 30
# So many of them stand, and so many of those that move do on a ground that stands.
_QUIET_SHARE, _GROUND_SHARE = 0.15, 0.5


def drawn(motion: Motion, still: Flags, thresholds: Mapping[str, float]) -> Flags:
    """Tells around which frames all is drawn, (n,).

    Args:
        motion: What moved.
        still: (n,) frames that repeat the one before.
        thresholds: Those of the artifact.
    """
    quiet = still | (motion.peak <= thresholds["quiet_code"])
    on_ground = ~quiet & (motion.drift <= thresholds["ground_code"])
    stood = window_means(quiet.astype(np.float64), _REACH)
    grounded = window_means(on_ground.astype(np.float64), _REACH)
    return (stood >= _QUIET_SHARE) & (grounded >= _GROUND_SHARE * (1.0 - stood))
