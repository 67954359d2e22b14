"""Reads captions beside the media: a file of any format, or those of a package on disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

from defectscope.errors import CaptionsError
from defectscope.media.captions.reading import MAX_BYTES, captions_from
from defectscope.media.cues import Captions
from defectscope.media.package_captions import is_package, read_package_captions
from defectscope.media.source import MediaLike, resolve


def read_captions(media: MediaLike) -> Captions:
    """Returns the cues of a side-car file, and what in it breaks its format.

    The format is told from the content, so that uploads need no name. Of a package (a playlist of
    HLS, a manifest of DASH) the captions are read that go with its best variant.

    Raises:
        CaptionsError: It cannot be read as captions at all.
        MediaError: It is a package whose captions cannot be read.
    """
    if is_package(media):
        return read_package_captions(Path(os.fspath(cast("str", media))))
    source = resolve(media)
    if isinstance(source, str | os.PathLike):
        name = Path(source).name
        try:
            with Path(source).open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise CaptionsError(f"{source}: {(error.strerror or 'unreadable').lower()}") from None
    elif isinstance(source, bytes | bytearray):
        name, raw = "captions", bytes(source)
    else:
        name = Path(str(getattr(source, "name", "captions"))).name
        raw = source.read(MAX_BYTES + 1)
    return captions_from(raw, name)
