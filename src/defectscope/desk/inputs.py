"""What a command line or a list means: files, folders, patterns and addresses, each with a name."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from defectscope.errors import InvalidParameterError, MediaNotFoundError

# What in a folder is taken for media; a file that is named itself may have any suffix.
_SUFFIXES = (
    *("3gp", "aac", "ac3", "aif", "aiff", "avi", "dv", "eac3", "flac", "flv", "gxf", "h264"),
    *("hevc", "ivf", "m2ts", "m2v", "m4a", "m4v", "mka", "mkv", "mov", "mp3", "mp4", "mpeg"),
    *("mpg", "mts", "mxf", "obu", "ogg", "ogv", "opus", "ts", "vob", "w64", "wav", "webm"),
    *("wma", "wmv", "y4m"),
)
# Playlists and manifests: one asset each, with all that they name.
PACKAGE_SUFFIXES = frozenset({".m3u8", ".mpd"})
MEDIA_SUFFIXES = frozenset(f".{suffix}" for suffix in _SUFFIXES)


@dataclass(frozen=True, slots=True)
class Item:
    """One asset to analyze.

    Attributes:
        media: A path or an address.
        name: Its place among the reports: a relative path without ways up.
    """

    media: str
    name: str


def expand(arguments: Sequence[str], *, recursive: bool = False) -> list[Item]:
    """Returns the assets that arguments mean, each once, in order.

    A folder gives the media in it, its own name first in theirs; a pattern (`*.mov`, `**/*.mxf`)
    what it matches. Files of one name in different folders keep as many folders as tell them apart.

    Args:
        arguments: Paths, patterns, addresses, or `-`.
        recursive: Also what lies in folders of folders.

    Raises:
        MediaNotFoundError: A folder holds no media, or a pattern matches nothing.
    """
    found: list[Item] = []
    for argument in arguments:
        if argument == "-" or "://" in argument:
            found.append(Item(argument, PurePath(shown(argument)).name or "stdin"))
        elif os.path.isdir(argument):
            found += _of_folder(Path(argument), recursive=recursive)
        elif not os.path.exists(argument) and glob.has_magic(argument):
            matched = sorted(path for path in glob.glob(argument, recursive=True))
            files = [path for path in matched if not os.path.isdir(path)]
            if not files:
                raise MediaNotFoundError(f"{argument}: nothing matches")
            found += [Item(path, Path(path).name) for path in files]
        else:
            found.append(Item(argument, Path(argument).name))
    once = list({item.media: item for item in found}.values())
    return _told_apart(once)


def shown(argument: str) -> str:
    """Returns an input as it may be printed: an address without password, query and fragment."""
    scheme, separator, rest = argument.partition("://")
    if not separator or scheme.lower() == "s3":
        return argument
    place, slash, path = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}".partition("?")[0].partition("#")[0]


def is_package(argument: str | os.PathLike[str]) -> bool:
    """Tells whether an input is a package's playlist or manifest, by its name."""
    return "://" not in str(argument) and Path(argument).suffix.lower() in PACKAGE_SUFFIXES


def is_media(path: Path) -> bool:
    """Tells whether a file of a folder is taken for media, by its name."""
    known = MEDIA_SUFFIXES | PACKAGE_SUFFIXES
    return path.suffix.lower() in known and not path.name.startswith((".", "~"))


def _of_folder(folder: Path, *, recursive: bool) -> list[Item]:
    paths = sorted(folder.rglob("*") if recursive else folder.iterdir())
    files = [path for path in paths if path.is_file() and is_media(path)]
    packages = [path for path in files if is_package(path)]
    if packages:
        # What belongs to a package is no asset of its own.
        from defectscope.media.package import package_files

        parts = {part for package in packages for part in package_files(package)}
        files = [path for path in files if path.resolve() not in parts]
    if not files:
        inside = "" if recursive else " (--recursive looks into its folders too)"
        raise MediaNotFoundError(f"{folder}: there is no media in it{inside}")
    return [Item(str(path), path.relative_to(folder).as_posix()) for path in files]


def _told_apart(items: list[Item]) -> list[Item]:
    """Returns items of one name more of their folders, until no two have one name."""
    named = {item.media: item.name for item in items}
    for _ in range(64):
        seen: dict[str, list[Item]] = {}
        for item in items:
            seen.setdefault(named[item.media], []).append(item)
        repeated = [item for same in seen.values() if len(same) > 1 for item in same]
        if not repeated:
            break
        for item in repeated:
            named[item.media] = _with_one_more_folder(item.media, named[item.media])
    else:
        raise InvalidParameterError("reports of two media would have one name")
    return [Item(item.media, named[item.media]) for item in items]


def _with_one_more_folder(media: str, name: str) -> str:
    if "://" in media:
        parts = [part for part in shown(media).split("://", 1)[1].split("/") if part]
    else:
        parts = [part for part in Path(os.path.abspath(media)).parts if part != os.sep]
    depth = len(PurePath(name).parts) + 1
    return "/".join(parts[-depth:])
