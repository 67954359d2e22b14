"""Spatial audio: a wider image from narrow loudspeakers, and measures of what it does.

import defectscope.spatial as spatial

left, centre, right = spatial.upmix(samples, 48_000)
taps = spatial.crosstalk_filters("two_narrow", 48_000, target_db=12, cap_db=7)
beam = spatial.beam_filters("three_front", 48_000)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from defectscope.spatial.beam import beam_filters as beam_filters
    from defectscope.spatial.beam import directivity_db as directivity_db
    from defectscope.spatial.cancellation import crosstalk_filters as crosstalk_filters
    from defectscope.spatial.cancellation import headphone_filters as headphone_filters
    from defectscope.spatial.device import Device as Device
    from defectscope.spatial.device import Driver as Driver
    from defectscope.spatial.device import Listener as Listener
    from defectscope.spatial.device import device_names as device_names
    from defectscope.spatial.device import load_device as load_device
    from defectscope.spatial.head import NARROW_PAIR as NARROW_PAIR
    from defectscope.spatial.head import Crosstalk as Crosstalk
    from defectscope.spatial.head import crosstalk_at as crosstalk_at
    from defectscope.spatial.hrtf import KEMAR_PATH as KEMAR_PATH
    from defectscope.spatial.hrtf import Head as Head
    from defectscope.spatial.hrtf import load_head as load_head
    from defectscope.spatial.upmixing import Upmixer as Upmixer
    from defectscope.spatial.upmixing import upmix

# Loaded on first use: detectors read measures of the stage, and must not pay for the design of
# filters.
_LAZY = {
    "KEMAR_PATH": "hrtf",
    "NARROW_PAIR": "head",
    "Crosstalk": "head",
    "Device": "device",
    "Driver": "device",
    "Head": "hrtf",
    "Listener": "device",
    "Upmixer": "upmixing",
    "beam_filters": "beam",
    "crosstalk_at": "head",
    "crosstalk_filters": "cancellation",
    "device_names": "device",
    "directivity_db": "beam",
    "headphone_filters": "cancellation",
    "load_device": "device",
    "load_head": "hrtf",
    "upmix": "upmixing",
}

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


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f"defectscope.spatial.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'defectscope.spatial' has no attribute {name!r}")
