"""HLS packages on disk: a playlist becomes the pieces of its best variant and of its sound.

Source: RFC 8216, HTTP Live Streaming, sections 4.3.2 to 4.3.4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from defectscope.errors import MediaError, UnreadableMediaError
from defectscope.media.pieces import MAX_PIECES, Piece, inside, read_list

_CAPTIONS = (".vtt", ".webvtt")
_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]*)')


@dataclass(slots=True)
class Playlist:
    """What a playlist says.

    Attributes:
        variants: Attributes of each variant, with its `URI`; empty in a media playlist.
        renditions: Attributes of each rendition.
        pieces: Segments with their initialisation sections, in order.
        fragments: Whether there is an initialisation section.
    """

    variants: list[dict[str, str]] = field(default_factory=list)
    renditions: list[dict[str, str]] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    fragments: bool = False


def read_playlist(path: Path, folder: Path) -> Playlist:
    """Reads a master or media playlist.

    Args:
        path: The playlist.
        folder: The package's folder, which nothing it names may leave.

    Raises:
        UnreadableMediaError: It is no playlist, or its segments are encrypted.
        MediaRefusedError: It names what lies outside the folder.
        MediaNotFoundError: A segment is missing.
    """
    lines = [line.strip() for line in read_list(path).splitlines()]
    if not lines or lines[0] != "#EXTM3U":
        raise UnreadableMediaError(f"{path.name}: not a playlist (#EXTM3U)")
    found = Playlist()
    pending: dict[str, str] | None = None
    span, gap = "", False
    section: Piece | None = None
    ends: dict[Path, int] = {}
    for line in lines[1:]:
        tag, _, value = line.partition(":")
        if tag == "#EXT-X-STREAM-INF":
            pending = attributes(value)
        elif tag == "#EXT-X-MEDIA":
            found.renditions.append(attributes(value))
        elif tag == "#EXT-X-KEY" and attributes(value).get("METHOD", "NONE") != "NONE":
            raise UnreadableMediaError(f"{path.name}: the segments are encrypted")
        elif tag == "#EXT-X-MAP":
            held = attributes(value)
            piece = _piece(inside(folder, path.parent, held.get("URI", "")), held.get("BYTERANGE"))
            if section is not None and section != piece:
                raise UnreadableMediaError(
                    f"{path.name}: more than one initialisation section: analyze its parts"
                )
            if section is None:
                found.pieces.append(piece)
            section, found.fragments = piece, True
        elif tag == "#EXT-X-BYTERANGE":
            span = value
        elif tag == "#EXT-X-GAP":
            gap = True
        elif line and not line.startswith("#"):
            if pending is not None:
                found.variants.append(pending | {"URI": line})
                pending = None
            elif not gap:
                where = inside(folder, path.parent, line)
                piece = _piece(where, span or None, ends.get(where, 0))
                if piece.length is not None:
                    ends[where] = piece.first + piece.length
                found.pieces.append(piece)
            span, gap = "", False
            if len(found.pieces) > MAX_PIECES:
                raise UnreadableMediaError(f"{path.name}: more than {MAX_PIECES} segments")
    if not found.variants and not found.pieces:
        raise UnreadableMediaError(f"{path.name}: the playlist names nothing")
    return found


def attributes(text: str) -> dict[str, str]:
    """Returns the attributes of a tag by their names, without quotation marks."""
    return {name: value.strip('"') for name, value in _ATTRIBUTE.findall(text)}


def _piece(path: Path, span: str | None, after: int = 0) -> Piece:
    """A piece of `length@first`; without `first` it follows the one before in the same file."""
    if span is None:
        return Piece(path)
    length, _, first = span.partition("@")
    if not length.isdecimal() or not (first.isdecimal() or not first):
        raise UnreadableMediaError(f"{path.name}: a byte range that is none: {span[:40]}")
    return Piece(path, int(first) if first else after, int(length))


def hls_pieces(path: Path) -> tuple[list[Piece], list[Piece]]:
    """Returns the pieces of a package's best variant, and of its sound where that lies apart.

    The best variant has the most pixels, then the most bits a second; its sound is the default
    rendition of its group, else the first.

    Raises:
        MediaError: The package cannot be read.
    """
    folder = path.parent
    playlist = read_playlist(path, folder)
    if not playlist.variants:
        return playlist.pieces, []
    best = max(playlist.variants, key=rank)
    video = _media(inside(folder, folder, best["URI"]), folder)
    group = [
        r
        for r in playlist.renditions
        if r.get("TYPE") == "AUDIO" and r.get("GROUP-ID") == best.get("AUDIO") and best.get("AUDIO")
    ]
    sound = next((r for r in group if r.get("DEFAULT") == "YES"), group[0] if group else {})
    # A rendition without an address lies in the variant itself.
    if not sound.get("URI") or sound["URI"] == best["URI"]:
        return video, []
    return video, _media(inside(folder, folder, sound["URI"]), folder)


def hls_captions(path: Path) -> tuple[list[Piece], bool]:
    """Returns the pieces of the captions that go with the best variant; none where none do.

    They are those of its group, the default rendition or else the first that is not forced. A
    playlist of captions gives its own.

    Returns:
        The pieces, and whether they are fragments of MP4; else each is a file of its own.

    Raises:
        MediaError: The package cannot be read.
    """
    folder = path.parent
    playlist = read_playlist(path, folder)
    if not playlist.variants:
        if playlist.pieces[0].path.suffix.lower() in _CAPTIONS:
            return playlist.pieces, False
        return [], False
    wanted = max(playlist.variants, key=rank).get("SUBTITLES")
    group = [
        r
        for r in playlist.renditions
        if wanted and r.get("TYPE") == "SUBTITLES" and r.get("GROUP-ID") == wanted and r.get("URI")
    ]
    if not group:
        return [], False
    full = [r for r in group if r.get("FORCED") != "YES"] or group
    chosen = next((r for r in full if r.get("DEFAULT") == "YES"), full[0])
    found = read_playlist(inside(folder, folder, chosen["URI"]), folder)
    return found.pieces, found.fragments


def _media(path: Path, folder: Path) -> list[Piece]:
    pieces = read_playlist(path, folder).pieces
    if not pieces:
        raise UnreadableMediaError(f"{path.name}: a variant that names no segments")
    return pieces


def rank(variant: Mapping[str, str]) -> tuple[int, int]:
    """Returns what orders variants: pixels, then bits a second."""
    width, _, height = variant.get("RESOLUTION", "").partition("x")
    pixels = int(width) * int(height) if width.isdecimal() and height.isdecimal() else 0
    bits = variant.get("BANDWIDTH", "")
    return pixels, int(bits) if bits.isdecimal() else 0


def hls_files(path: Path) -> set[Path]:
    """Returns the files that belong to a playlist, as far as they can be told."""
    found: set[Path] = set()
    with suppress(MediaError):
        playlist = read_playlist(path, path.parent)
        found |= {piece.path for piece in playlist.pieces}
        for entry in (*playlist.variants, *playlist.renditions):
            with suppress(MediaError):
                listed = inside(path.parent, path.parent, entry.get("URI", ""))
                found.add(listed)
                found |= {piece.path for piece in read_playlist(listed, path.parent).pieces}
    return found
