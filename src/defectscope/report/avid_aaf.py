"""Findings as locators of Avid Media Composer: an AAF with a sequence that carries them.

Source: AAF Object Specification 1.1 (EventMobSlot, CommentMarker); the class of the marker and its
colour are those that Media Composer itself writes.
"""

from __future__ import annotations

import math
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from defectscope.errors import InvalidParameterError
from defectscope.findings import Report
from defectscope.media.timecode import Timecode
from defectscope.report.editing import Marked, marked, start_timecode

# Media Composer's locators, 16 bits a channel.
_COLOURS = {"critical": (65535, 0, 0), "major": (65535, 65535, 0), "minor": (0, 65535, 65535)}
_MARKER_SLOT = 1000
_METADATA = "DescriptiveMetadata"


def avid_aaf(report: Report) -> bytes:
    """Returns an AAF: a sequence as long as the asset, empty but for a locator at each finding.

    Raises:
        InvalidParameterError: The report has no frames to mark, or pyaaf2 is not installed.
    """
    line = marked(report)
    try:
        aaf2 = import_module("aaf2")
    except ModuleNotFoundError:
        raise InvalidParameterError(
            "markers as AAF need pyaaf2: pip install 'defectscope[editors]'"
        ) from None
    with tempfile.TemporaryDirectory(prefix="defectscope-") as folder:
        # The library writes to a place by its name alone.
        path = Path(folder) / "markers.aaf"
        with aaf2.open(str(path), "w") as file:
            file.content.mobs.append(_composition(file, line, start_timecode(report)))
        return path.read_bytes()


def _composition(file: Any, line: Marked, start: Timecode | None) -> Any:
    rate = f"{line.rate.numerator}/{line.rate.denominator}"
    mob = file.create.CompositionMob(line.name)
    mob.usage = "Usage_TopLevel"
    if start is not None:
        clock = mob.create_timeline_slot(rate)
        clock.segment = file.create.Timecode(math.ceil(line.rate), drop=start.drop_frame)
        clock.segment.start, clock.segment.length = start.frame, line.frames
        clock["PhysicalTrackNumber"].value = 1
    video = mob.create_timeline_slot(rate)
    video.name = "V1"
    video["PhysicalTrackNumber"].value = 1
    video.segment = file.create.Sequence(media_kind="picture")
    video.segment.components.append(file.create.Filler("picture", line.frames))
    video.segment.length = line.frames
    if line.markers:
        mob.slots.append(_locators(file, line, rate, video.slot_id))
    return mob


def _locators(file: Any, line: Marked, rate: str, described: int) -> Any:
    slot = file.create.EventMobSlot()
    slot["SlotID"].value = _MARKER_SLOT
    slot["EditRate"].value = rate
    slot["PhysicalTrackNumber"].value = 1
    slot.segment = file.create.Sequence(media_kind=_METADATA)
    for marker in line.markers:
        locator = file.create.DescriptiveMarker()
        red, green, blue = _COLOURS[marker.severity]
        values = {
            "DataDefinition": file.dictionary.lookup_datadef(_METADATA),
            "Position": marker.start_frame,
            "Length": marker.frames,
            "Comment": marker.text,
            "CommentMarkerUser": "defectscope",
            "CommentMarkerColor": {"red": red, "green": green, "blue": blue},
            "DescribedSlots": [described],
        }
        for name, value in values.items():
            locator[name].value = value
        slot.segment.components.append(locator)
    return slot
