"""What a container states of video, sound and captions, as a delivery is held against it.

Names carry units; None is what the container does not state. Code points are ITU-T H.273's.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from av.sidedata.sidedata import Type as SideData

from defectscope.media.listing import is_decodable
from defectscope.media.stream import StreamInfo

# Source: ITU-T H.273 (07/2024), tables 2, 3 and 4.
_PRIMARIES = {
    1: "BT.709", 4: "BT.470M", 5: "BT.470BG", 6: "SMPTE 170M", 7: "SMPTE 240M", 8: "film",
    9: "BT.2020", 10: "SMPTE 428", 11: "SMPTE 431 (DCI P3)", 12: "SMPTE 432 (P3 D65)",
    22: "EBU 3213",
}  # fmt: skip
_TRANSFERS = {
    1: "BT.709", 4: "gamma 2.2", 5: "gamma 2.8", 6: "SMPTE 170M", 7: "SMPTE 240M", 8: "linear",
    11: "xvYCC", 12: "BT.1361", 13: "sRGB", 14: "BT.2020 10 bit", 15: "BT.2020 12 bit",
    16: "PQ (SMPTE 2084)", 17: "SMPTE 428", 18: "HLG (ARIB STD-B67)",
}  # fmt: skip
_MATRICES = {
    0: "RGB", 1: "BT.709", 4: "FCC", 5: "BT.470BG", 6: "SMPTE 170M", 7: "SMPTE 240M", 8: "YCgCo",
    9: "BT.2020 ncl", 10: "BT.2020 cl", 14: "ICtCp",
}  # fmt: skip
_HDR = {16: "PQ", 18: "HLG"}
_RANGES = {1: "limited", 2: "full"}
# FFmpeg's AVFieldOrder: which field is coded first, and which is shown first.
_FIELDS = {1: "progressive", 2: "top first", 3: "bottom first", 4: "top first", 5: "bottom first"}
_CHROMA = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (4, 1): "4:1:1", (4, 4): "4:1:0"}
# SMPTE ST 2086 in FFmpeg's struct: three primaries and white as x, y, then lowest and highest
# luminance, all AVRational, and two flags that say which are there.
_MASTERING = struct.Struct("=20i2i")


def container_facts(container: Any, info: StreamInfo, first: Any) -> dict[str, Any]:
    """Returns what the container states, by name.

    Args:
        container: An open PyAV container.
        info: What probing found.
        first: The first presented frame, None where there is none.
    """
    facts: dict[str, Any] = {"container": info.container, "duration_s": round(info.duration_s, 4)}
    if info.video is not None and info.video_track is not None:
        facts |= _video_facts(container.streams[info.video_track], info, first)
        facts |= _light_facts(first)
        facts["timecode"] = _timecode(container, info)
    if info.audio is not None:
        facts |= _audio_facts(container, info)
    if info.video is not None and info.audio is not None:
        facts["length_difference_frames"] = _length_difference(info)
    facts["captions"] = _captions(info)
    return facts


def _video_facts(stream: Any, info: StreamInfo, first: Any) -> dict[str, Any]:
    video, context = info.video, stream.codec_context
    assert video is not None
    width, height = video.width, video.height
    pixel = Fraction(stream.sample_aspect_ratio or 1)
    shape = Fraction(width, height) * pixel
    # A frame knows its colours where the header is silent, as in raw streams.
    known = context if first is None else first
    colours = [
        int(getattr(context, name) or 0) or int(getattr(known, name) or 0)
        for name in ("color_primaries", "color_trc", "colorspace", "color_range")
    ]
    primaries, transfer, matrix, levels = colours
    if int(context.colorspace or 0) == 0 and "rgb" not in video.pixel_format:
        matrix = matrix or 2
    chroma = (
        (round(width / video.chroma_width), round(height / video.chroma_height))
        if video.chroma_width
        else (0, 0)
    )
    return {
        "video_codec": video.codec,
        "video_profile": stream.profile,
        "video_bit_rate_bps": int(context.bit_rate) if context.bit_rate else None,
        "width_px": width,
        "height_px": height,
        "frame_rate": f"{video.frame_rate.numerator}/{video.frame_rate.denominator}",
        "frame_rate_mode": "variable" if video.variable_frame_rate else "constant",
        "field_order": _FIELDS.get(int(context.field_order or 0)),
        "pixel_aspect": f"{pixel.numerator}:{pixel.denominator}",
        "display_aspect": f"{shape.numerator}:{shape.denominator}",
        "bit_depth": video.bit_depth,
        "chroma": _CHROMA.get(chroma, "none" if chroma == (0, 0) else video.pixel_format),
        "levels": _RANGES.get(levels),
        "primaries": _PRIMARIES.get(primaries),
        "transfer": _TRANSFERS.get(transfer),
        "matrix": _MATRICES.get(matrix),
        "hdr": _HDR.get(transfer, "none"),
    }


def _light_facts(first: Any) -> dict[str, Any]:
    """Mastering display and content light level, as the first frame carries them."""
    facts: dict[str, Any] = {"mastering_display": None, "max_cll_nits": None, "max_fall_nits": None}
    for data in () if first is None else first.side_data:
        raw = bytes(data)
        if data.type is SideData.CONTENT_LIGHT_LEVEL and len(raw) >= 8:
            facts["max_cll_nits"], facts["max_fall_nits"] = struct.unpack_from("=2I", raw)
        elif data.type is SideData.MASTERING_DISPLAY_METADATA and len(raw) >= _MASTERING.size:
            facts["mastering_display"] = _mastering(_MASTERING.unpack_from(raw))
    return facts


def _mastering(values: tuple[int, ...]) -> str | None:
    parts = [
        top / bottom if bottom else 0.0
        for top, bottom in zip(values[0:20:2], values[1:20:2], strict=True)
    ]
    has_primaries, has_luminance = values[20:]
    named: list[str] = []
    if has_primaries:
        points = [f"({x:.4f}, {y:.4f})" for x, y in zip(parts[0:8:2], parts[1:8:2], strict=True)]
        named.append("R{} G{} B{} white{}".format(*points))
    if has_luminance:
        named.append(f"{parts[8]:.4f} to {parts[9]:g} cd/m²")
    return ", ".join(named) or None


def _timecode(container: Any, info: StreamInfo) -> str | None:
    """The start timecode where the container has one; the grid's own zero is none."""
    tagged = any(holder.metadata.get("timecode") for holder in (container, *container.streams))
    return str(info.start_timecode) if tagged and info.start_timecode is not None else None


def _audio_facts(container: Any, info: StreamInfo) -> dict[str, Any]:
    streams: Mapping[int, Any] = {s.index: s for s in container.streams.audio}
    main = streams[info.sounds[0].tracks[0]]
    sounds = info.sounds
    assert info.audio is not None
    stated = all(
        channel.name != "NONE"
        for s in streams.values()
        if is_decodable(s)
        for channel in s.codec_context.layout.channels
    )
    depth = main.codec_context.format.bits if main.codec_context.format is not None else None
    return {
        "audio_codec": info.audio.codec,
        "audio_tracks": len(streams),
        "audio_rate_hz": info.audio.rate_hz,
        # Lossy codecs have no depth: their decoder's own says nothing of the sound.
        "audio_bit_depth": depth
        if str(info.audio.codec).startswith(("pcm", "flac", "alac"))
        else None,
        "audio_layouts": ", ".join(sound.audio.layout for sound in sounds),
        "channel_labels": "; ".join(" ".join(s.audio.channels) for s in sounds) if stated else None,
        "audio_languages": ", ".join(s.audio.language or "und" for s in sounds),
    }


def _length_difference(info: StreamInfo) -> float | None:
    """How many frames the sound ends after the frame; negative is before."""
    video = info.video
    if video is None or info.video_duration_s is None or info.audio_duration_s is None:
        return None
    late_s = info.audio_start_s + info.audio_duration_s - info.video_duration_s
    return round(late_s * float(video.frame_rate), 3)


def _captions(info: StreamInfo) -> str:
    tracks = [t for t in info.tracks if t.medium == "captions"]
    values = [f"{t.codec} {t.language}".strip() if t.language else t.codec for t in tracks]
    if info.has_bitmap_captions:
        values.append("CEA-608/708")
    if info.has_captions and not tracks:
        values.append("beside the file")
    return ", ".join(values) or "none"
