"""A caption on the programme's clock."""

from __future__ import annotations

from dataclasses import dataclass

# A million cues are read and evaluated; beyond three nobody can mean it.
MAX_CUES = 3_000_000
MAX_FAULTS = 1000


@dataclass(frozen=True, slots=True)
class Cue:
    """One caption.

    Attributes:
        start_s: When it appears, seconds from t = 0.
        end_s: When it goes; may lie before `start_s` in a broken file; infinite where the format
            leaves it on screen to the end of the programme.
        lines: Text lines without mark-up.
        source_line: Line number in the side-car file, 1-based; None for embedded tracks.
        place: Where it is shown, in the format's own words; cues in different places do not
            cover each other. Empty for the usual place.
        image: It is an image, so that nothing can be said of its text.
        track: 0 for a side-car file, the stream's index plus one for a track of the container.
        forced: Of a track that captions foreign speech and signs only.
        until_next: It stays at most until `end_s`, and goes when the track's next event comes.
        clears: No cue but such an event.
    """

    start_s: float
    end_s: float
    lines: tuple[str, ...]
    source_line: int | None = None
    place: str = ""
    image: bool = False
    track: int = 0
    forced: bool = False
    until_next: bool = False
    clears: bool = False


# Everything that reading can survive, so that a fault is a number wherever text would be too long.
# Measurements hold the position in this list: add at its end.
FAULTS = (
    "the text is not UTF-8",
    "a WebVTT file must begin with WEBVTT",
    "these are not two times around an arrow",
    "this is not a time",
    "a cue without its times",
    "the XML is damaged",
    "a paragraph without its times",
    "more cues than anyone can read",
    "WebVTT separates thousandths by a point, not by a comma",
    "X-TIMESTAMP-MAP needs LOCAL and MPEGTS",
    "the start of the programme lies after its captions",
    "these are not pairs of hexadecimal bytes",
    "its text is never on screen",
    "text in no region, though the document declares some",
)
(
    NOT_UTF8,
    NO_HEADER,
    BAD_ARROW,
    BAD_TIME,
    NO_TIMES,
    BAD_XML,
    UNTIMED,
    TOO_MANY,
    COMMA,
    BAD_MAP,
    LATE_PROGRAMME,
    BAD_BYTES,
    NEVER_SHOWN,
    NO_REGION,
) = FAULTS


@dataclass(frozen=True, slots=True)
class CaptionFault:
    """Something in a side-car file that breaks its format.

    Attributes:
        source_line: Line number, 1-based.
        message: What is wrong, one of `FAULTS`.
    """

    source_line: int
    message: str


@dataclass(frozen=True, slots=True)
class Captions:
    """A caption track.

    Attributes:
        format: `webvtt`, `srt`, `ttml`, `stl`, `scc`, or the codec's name for an embedded track.
        cues: In file order, which is time order only in a sound file.
        faults: Format errors that reading survived.
        mpegts_offset_s: Time of the MPEG transport stream at cue time 0, None where the file
            does not say.
        timecoded: Its times are time codes, which need not begin with the programme.
    """

    format: str
    cues: tuple[Cue, ...]
    faults: tuple[CaptionFault, ...] = ()
    mpegts_offset_s: float | None = None
    timecoded: bool = False
