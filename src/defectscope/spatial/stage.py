"""Where the sound of a stereo pair lies between two loudspeakers, and how wide it is.

Everything follows from three numbers a band: both channels' powers and their mean product. Their
two-by-two matrix has two principal components. What the stronger one has beyond the weaker is a
source in one direction, panned by level; the rest is ambience, which has none.

Source: Goodwin and Jot 2007, "Primary-ambient signal decomposition and vector-based localization".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from defectscope.spatial.arrays import Reals

# Source: ITU-R BS.775: loudspeakers of a stereo pair stand at ±30 degrees.
HALF_SPAN_DEG = 30.0
# Source: Stevens 1955, loudness grows with the 0.3rd power of intensity: bass counts no more than
# it is heard.
_LOUDNESS_EXPONENT = 0.3


@dataclass(frozen=True, slots=True)
class Split:
    """The energy of a pair as a source and what surrounds it; every field has the input's shape.

    Attributes:
        direct: Energy that comes from one direction.
        ambient: Energy that comes from none, that of opposed channels included.
        angle_deg: Direction of the former, positive to the left, ±30 at the loudspeakers.
    """

    direct: Reals
    ambient: Reals
    angle_deg: Reals


def panorama(left_power: Reals, right_power: Reals, cross: Reals) -> tuple[Reals, Reals]:
    """Returns where the energy of a stereo pair lies, and how much of it is the phantom centre.

    Args:
        left_power: Mean squares of the left channel.
        right_power: Likewise of the right one.
        cross: Mean products of both.

    Returns:
        Position from -1 (right) to 1 (left), and the share of the energy that both channels have
        alike, 0 to 1; both 0 in silence.
    """
    total = left_power + right_power
    position = np.divide(left_power - right_power, total, out=np.zeros_like(total), where=total > 0)
    share = np.divide(2 * cross, total, out=np.zeros_like(total), where=total > 0)
    return position, np.clip(share, 0.0, 1.0)


def stage_angle_deg(position: Reals, half_span_deg: float = HALF_SPAN_DEG) -> Reals:
    """Returns positions of `panorama` as angles of a loudspeaker pair, by the law of tangents."""
    # Gains follow from powers: position = (l^2 - r^2) / (l^2 + r^2).
    left = np.sqrt(np.clip((1 + position) / 2, 0, 1))
    right = np.sqrt(np.clip((1 - position) / 2, 0, 1))
    ratio = (left - right) / np.maximum(left + right, 1e-12)
    return np.degrees(np.arctan(ratio * np.tan(np.radians(half_span_deg))))


def split(left_power: Reals, right_power: Reals, cross: Reals) -> Split:
    """Returns a pair's energy as a source and ambience; arguments as in `panorama`."""
    total = left_power + right_power
    apart = np.hypot(left_power - right_power, 2 * cross)
    # Opposed channels are heard in no direction between the loudspeakers.
    direct = np.where(cross >= 0, apart, np.abs(left_power - right_power))
    direct = np.minimum(direct, total)
    position = np.divide(
        left_power - right_power, direct, out=np.zeros_like(total), where=direct > 0
    )
    return Split(direct, total - direct, stage_angle_deg(np.clip(position, -1, 1)))


def image_deg(parts: Split, half_span_deg: float = HALF_SPAN_DEG) -> tuple[Reals, Reals]:
    """Returns the middle and the angular width of an image, degrees, over the last axis (bands).

    A source counts where it is, ambience evenly from one loudspeaker to the other; bands count by
    their loudness. The width is that of an even spread with the same standard deviation: 0 for one
    source, twice the half span for ambience alone. Both are 0 in silence.

    Args:
        parts: As `split` gives them, (..., bands).
        half_span_deg: Half the angle between the loudspeakers.
    """
    total = parts.direct + parts.ambient
    loudness = total**_LOUDNESS_EXPONENT
    whole = np.sum(loudness, axis=-1)
    weight = np.divide(loudness, whole[..., None], out=np.zeros_like(total), where=total > 0)
    share = np.divide(parts.direct, total, out=np.zeros_like(total), where=total > 0)
    angle = parts.angle_deg * (half_span_deg / HALF_SPAN_DEG)
    middle = np.sum(weight * share * angle, axis=-1)
    spread = share * (angle - middle[..., None]) ** 2
    spread += (1 - share) * (half_span_deg**2 / 3 + middle[..., None] ** 2)
    return middle, np.sqrt(12 * np.sum(weight * spread, axis=-1))


def direct_to_ambient_db(parts: Split) -> Reals:
    """Returns the energy with a direction over that without, decibels, over the last axis.

    It is the stereo programme's kin of a room's direct-to-reverberant ratio: reverberation is what
    two channels do not share. Between -30 and 30; silence gives 0.
    """
    direct, ambient = np.sum(parts.direct, axis=-1), np.sum(parts.ambient, axis=-1)
    floor = 1e-3 * (direct + ambient)
    sound = floor > 0
    ratio = np.divide(
        np.maximum(direct, floor), np.maximum(ambient, floor), out=np.ones_like(floor), where=sound
    )
    return 10 * np.log10(ratio)
