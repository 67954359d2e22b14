"""Reads side-car captions."""

from __future__ import annotations

import os
from pathlib import Path

import pysubs2

from defectscope.errors import CaptionsError
from defectscope.media.cues import Captions, Cue
from defectscope.media.source import MediaLike, resolve

_FORMATS = {".srt": "srt", ".vtt": "webvtt", ".ttml": "ttml", ".xml": "ttml", ".dfxp": "ttml"}


def read_captions(media: MediaLike) -> Captions:
    """Gives the cues of a side-car file.

    Raises:
        CaptionsError: It cannot be read as captions at all.
    """
    source = resolve(media)
    suffix = ".srt"
    if isinstance(source, str | os.PathLike):
        suffix = Path(source).suffix.lower()
        try:
            raw = Path(source).read_bytes()
        except OSError as error:
            raise CaptionsError(f"{source}: {(error.strerror or 'unreadable').lower()}") from None
    elif isinstance(source, bytes | bytearray):
        raw = bytes(source)
    else:
        raw = source.read()
    try:
        parsed = pysubs2.SSAFile.from_string(raw.decode("utf-8-sig"))
    except (UnicodeDecodeError, pysubs2.exceptions.Pysubs2Error, ValueError) as error:
        raise CaptionsError(f"these are not captions ({error})") from None
    cues = tuple(Cue(e.start / 1000, e.end / 1000, tuple(e.plaintext.splitlines())) for e in parsed)
    return Captions(_FORMATS.get(suffix, "srt"), cues)
