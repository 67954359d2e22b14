"""Ways of making audible defects that the simulators do not use: nothing learns from these.

Each family takes a clean mono sound and a level, 1 to 5, and gives the damaged sound. Levels follow
the simulators' steps: hum and hiss against the programme's median level in their band, distortion
as a ratio of signal to what was added, clicks against the programme's treble.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import audio_bends as bends
import audio_noises as noises
import audio_pops as pops
import numpy as np
from numpy.typing import NDArray

Mono = NDArray[np.float64]
Rng = np.random.Generator
HUM_BAND_HZ, HISS_BAND_HZ = (40.0, 800.0), (1500.0, 12000.0)
LEVEL_DB = (-10.0, -4.0, 2.0, 8.0, 16.0)


def damage(
    defect: str, family: str, sound: Mono, rate_hz: int, level: int, rng: Rng
) -> pops.Damaged:
    """Damages a sound by one family.

    Args:
        defect: Name of the defect, as `audio_hum`.
        family: One of `FAMILIES[defect]`.
        sound: (n,) clean.
        rate_hz: Its rate.
        level: 1 to 5.
        rng: Where chance comes from.
    """
    make = FAMILIES[defect][family]
    if defect == "audio_clicks":
        return make(sound, rate_hz, level, rng)
    whole = ((0, len(sound)),)
    if defect == "audio_distortion":
        return pops.Damaged(make(sound, rate_hz, level, rng), whole)
    band = HUM_BAND_HZ if defect == "audio_hum" else HISS_BAND_HZ
    noise = make(len(sound), rate_hz, rng)
    gain_db = LEVEL_DB[level - 1] + rng.uniform(-1.5, 1.5)
    own = max(float(np.sqrt(np.mean(pops.band(noise, rate_hz, band) ** 2))), 1e-9)
    wanted = pops.usual_level(sound, rate_hz, band) * 10 ** (gain_db / 20)
    # Hum with few harmonics below 40 Hz must not explode to reach its band level.
    return pops.Damaged(sound + noise * (wanted / own), whole)


FAMILIES: dict[str, dict[str, Callable[..., Any]]] = {
    "audio_hum": {
        "rectified": noises.rectified, "induced": noises.induced, "few_tones": noises.few_tones,
        "triac": noises.triac, "aircraft": noises.aircraft, "ground_loop": noises.ground_loop,
    },
    "audio_hiss": {
        "preamp": noises.preamp, "room": noises.room, "cassette": noises.cassette,
        "dithered": noises.dithered, "radio": noises.radio,
    },
    "audio_distortion": {
        "ceiling": bends.ceiling, "lopsided": bends.lopsided, "cubic": bends.cubic,
        "crushed": bends.crushed, "folded": bends.folded, "aliased": bends.aliased,
        "overshoot": bends.overshoot, "starved": bends.starved,
    },
    "audio_clicks": {
        "spike": pops.pulses(pops.spike), "half_sine": pops.pulses(pops.half_sine),
        "double": pops.pulses(pops.double), "static": pops.pulses(pops.static),
        "vinyl": pops.pulses(pops.vinyl), "lost": pops.lost, "looped": pops.looped,
        "stale": pops.stale, "skipped": pops.skipped,
    },
}  # fmt: skip
