"""What a track is coded with, whichever decoder reads it, and tracks that are copied."""

from __future__ import annotations

from typing import Any

import av
from av.codec.codec import UnknownCodecError


def codec_name(context: Any) -> str:
    """Returns FFmpeg's name of a coding: `av1`, not `libdav1d`, which decodes it; "" for none."""
    if context is None or not context.name:
        return ""
    return str(context.codec.canonical_name or context.name)


def add_copied_stream(out: Any, stream: Any) -> Any:
    """Adds a stream to an open output whose packets come from another file, and returns it.

    Args:
        out: The output container.
        stream: The stream that is copied.

    Raises:
        ValueError: The container cannot hold it.
    """
    # PyAV looks for an encoder of the decoder's name, and `libdav1d` only decodes.
    opaque = stream.type != "video" or not _encodes(stream.codec_context)
    return out.add_stream_from_template(stream, opaque=opaque)


def _encodes(context: Any) -> bool:
    try:
        av.Codec(context.name, "w")
    except UnknownCodecError:
        return False
    return True
