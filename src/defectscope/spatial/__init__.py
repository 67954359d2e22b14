"""Spatial audio: a wider image from narrow loudspeakers, and measures of what it does.

import defectscope.spatial as spatial

left, centre, right = spatial.upmix(samples, 48_000)
taps = spatial.crosstalk_filters("two_narrow", 48_000, target_db=12, cap_db=7)
beam = spatial.beam_filters("three_front", 48_000)
"""

from __future__ import annotations

from defectscope.spatial.beam import beam_filters, directivity_db
from defectscope.spatial.cancellation import crosstalk_filters, headphone_filters
from defectscope.spatial.device import Device, Driver, Listener, device_names, load_device
from defectscope.spatial.head import NARROW_PAIR, Crosstalk, crosstalk_at
from defectscope.spatial.hrtf import KEMAR_PATH, Head, load_head
from defectscope.spatial.upmix import Upmixer, upmix

__all__ = [
    "KEMAR_PATH",
    "NARROW_PAIR",
    "Crosstalk",
    "Device",
    "Driver",
    "Head",
    "Listener",
    "Upmixer",
    "beam_filters",
    "crosstalk_at",
    "crosstalk_filters",
    "device_names",
    "directivity_db",
    "headphone_filters",
    "load_device",
    "load_head",
    "upmix",
]
