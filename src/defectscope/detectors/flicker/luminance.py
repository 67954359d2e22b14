"""From codes to what a screen shows: luminance in cd/m² and saturated red."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.media.stream import VideoInfo

Values = NDArray[np.float64]

# Source: ITU-R BT.1886: the reference display's exponent. Black is taken as 0 cd/m².
_GAMMA = 2.4
# Source: ITU-R BT.601-7 (below 720 rows) and BT.709-6: R' = Y + a V, G' = Y - b U - c V,
# B' = Y + d U, with U and V in -0.5 to 0.5.
_MATRICES = {
    "bt601": (1.402, 0.344136, 0.714136, 1.772),
    "bt709": (1.5748, 0.187324, 0.468124, 1.8556),
}
# Source: W3C, Web Content Accessibility Guidelines 2.2, "general flash and red flash thresholds":
# saturated where R / (R + G + B) >= 0.8, and then as strong as (R - G - B) x 320.
_RED_SHARE = 0.8
_RED_SCALE = 320.0


def levels(codes: Values, video: VideoInfo) -> Values:
    """Returns luma codes as signal levels, 0 for black to 1 for nominal white, clipped."""
    if video.full_range:
        return np.clip(codes / 255.0, 0.0, 1.0)
    return np.clip((codes - 16.0) / 219.0, 0.0, 1.0)


def screen_cd_m2(luma_codes: Values, video: VideoInfo, white_cd_m2: float) -> Values:
    """Returns the luminance of grey of these codes on a screen of that peak, cd/m²."""
    return white_cd_m2 * levels(luma_codes, video) ** _GAMMA


def redness(luma: Values, u: Values, v: Values, video: VideoInfo) -> Values:
    """Returns how strongly saturated red each place is, 0 to 320; 0 where it is not saturated.

    Args:
        luma: Codes, any shape.
        u: Codes of the blue difference, the same shape.
        v: Codes of the red difference.
        video: Facts of the stream.
    """
    to_r, u_to_g, v_to_g, to_b = _MATRICES["bt709" if video.height >= 720 else "bt601"]
    span = 255.0 if video.full_range else 224.0
    y = levels(luma, video)
    blue, red = (u - 128.0) / span, (v - 128.0) / span
    r = np.clip(y + to_r * red, 0.0, 1.0) ** _GAMMA
    g = np.clip(y - u_to_g * blue - v_to_g * red, 0.0, 1.0) ** _GAMMA
    b = np.clip(y + to_b * blue, 0.0, 1.0) ** _GAMMA
    saturated = r >= _RED_SHARE * np.maximum(r + g + b, 1e-9)
    return np.where(saturated, np.maximum(r - g - b, 0.0) * _RED_SCALE, 0.0)
