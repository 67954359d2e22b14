r"""Corpora: folders of pristine recordings, split by recording once and for all.

A corpora file is TOML, one table per corpus:

    [[corpus]]
    name = "esc10"
    folder = "audio/esc10"          # looked for under every --root
    licence = "CC BY 3.0"
    source = "karoldvl/ESC-10"
    include = ["*.ogg"]             # globs on the path inside the folder; all files if left out
    exclude = []                    # never used
    evaluation_only = []            # globs: always in the test split
    group = "^[^/]+/\d-(\d+)-"     # what is captured never parts; the file itself if left out
    stratum = "^([^/]+)/"           # every split gets its share of each
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, cast

from defectscope.errors import InvalidParameterError, MediaNotFoundError, UnreadableMediaError
from defectscope.media import open_media
from defectscope.training.contract import SPLITS, Recording, Split

# Stills are no media files to the reader of media.
_STILL_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
# Shares of the groups of a stratum that are never trained on.
TEST_SHARE = 0.2
VALIDATION_SHARE = 0.12


@dataclass(frozen=True, slots=True)
class Corpus:
    """A folder of pristine recordings and what is known of it.

    Attributes:
        name: As cards and results call it.
        folder: Where it lies.
        licence: Licence of the recordings.
        source: Who published them.
        include: Globs of files to use, on the path inside the folder.
        exclude: Globs of files never to use.
        evaluation_only: Globs of files that only the test split may hold.
        group: Pattern whose first group names what must not be split; empty for each file.
        stratum: Pattern whose first group names what every split gets a share of.
    """

    name: str
    folder: Path
    licence: str
    source: str = ""
    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    evaluation_only: tuple[str, ...] = ()
    group: str = ""
    stratum: str = ""

    def describe(self) -> dict[str, str]:
        """Returns what detector.json says about it."""
        return {"name": self.name, "licence": self.licence, "source": self.source}


def read_corpora(file: Path, roots: Sequence[Path]) -> list[Corpus]:
    """Returns the corpora of a TOML file.

    Args:
        file: See the module's docstring.
        roots: Folders under which each corpus is looked for, in order.

    Raises:
        InvalidParameterError: The file is not a corpora file.
        MediaNotFoundError: A corpus lies under none of the roots.
    """
    try:
        body = tomllib.loads(file.read_text("utf-8"))
        tables = cast("list[dict[str, Any]]", body["corpus"])
        return [_corpus(dict(table), roots) for table in tables]
    except (KeyError, TypeError, OSError, tomllib.TOMLDecodeError) as error:
        raise InvalidParameterError(f"{file.name} is not a corpora file: {error!r}") from None


def own_folder(folder: Path) -> Corpus:
    """Returns a user's own folder of pristine recordings as a corpus.

    Raises:
        MediaNotFoundError: There is no such folder.
    """
    if not folder.is_dir():
        raise MediaNotFoundError(f"{folder}: no such folder")
    return Corpus(name=folder.name, folder=folder, licence="own content")


def recordings(
    corpora: Sequence[Corpus], suffixes: Collection[str], *, seed: int = 0
) -> list[Recording]:
    """Returns every recording with its split; the same wherever the folders lie.

    Args:
        corpora: Folders; names must differ.
        suffixes: Of the files to use, lower case with dot.
        seed: Another seed splits otherwise.

    Raises:
        MediaNotFoundError: A corpus has no such file.
    """
    out: list[Recording] = []
    for corpus in corpora:
        keys = [key for key in _files(corpus) if Path(key).suffix.lower() in suffixes]
        if not keys:
            raise MediaNotFoundError(f"corpus {corpus.name!r} holds no usable recording")
        splits = _split(corpus, keys, seed)
        out += [
            Recording(corpus.folder / key, corpus.name, key, _captured(corpus.group, key), split)
            for key, split in splits.items()
        ]
    return out


def without_unreadable(found: Sequence[Recording]) -> tuple[list[Recording], list[str]]:
    """Returns the recordings that are media files, and what is wrong with the others.

    Only their headers are read: minutes would be too long, and hours later is too late.
    """
    kept: list[Recording] = []
    unreadable: list[str] = []
    for recording in found:
        if recording.path.suffix.lower() not in _STILL_SUFFIXES:
            try:
                open_media(recording.path).close()
            except UnreadableMediaError as error:
                unreadable.append(error.message)
                continue
        kept.append(recording)
    return kept, unreadable


def require_every_split(found: Sequence[Recording]) -> None:
    """Refuses recordings that leave nothing to train on, to choose by or to measure with.

    Raises:
        InvalidParameterError: A split has none.
    """
    if not found:
        raise InvalidParameterError("none of the recordings is usable")
    lacking = [split for split in SPLITS if all(r.split != split for r in found)]
    if lacking:
        raise InvalidParameterError(
            f"too few usable recordings ({len(found)}): none is left for {' and '.join(lacking)}; "
            "a folder needs at least three that are independent of each other"
        )


def _corpus(table: dict[str, Any], roots: Sequence[Path]) -> Corpus:
    folder = str(table.pop("folder"))
    for root in roots:
        if (root / folder).is_dir():
            break
    else:
        raise MediaNotFoundError(f"corpus folder {folder!r} lies under none of the roots given")
    values: dict[str, Any] = {}
    for name, value in table.items():
        values[name] = tuple(cast("list[str]", value)) if isinstance(value, list) else value
    return Corpus(folder=root / folder, **values)


def _files(corpus: Corpus) -> list[str]:
    keys = sorted(
        path.relative_to(corpus.folder).as_posix()
        for path in corpus.folder.rglob("*")
        if path.is_file()
    )
    return [
        key
        for key in keys
        if any(fnmatch(key, glob) for glob in corpus.include)
        and not any(fnmatch(key, glob) for glob in corpus.exclude)
    ]


def _captured(pattern: str, key: str) -> str:
    match = re.search(pattern, key) if pattern else None
    return match.group(1) if match else key


def _split(corpus: Corpus, keys: Sequence[str], seed: int) -> Mapping[str, Split]:
    splits: dict[str, Split] = {}
    strata: dict[str, dict[str, list[str]]] = {}
    for key in keys:
        if any(fnmatch(key, glob) for glob in corpus.evaluation_only):
            splits[key] = "test"
            continue
        stratum = _captured(corpus.stratum, key) if corpus.stratum else ""
        group = _captured(corpus.group, key)
        strata.setdefault(stratum, {}).setdefault(group, []).append(key)
    for groups in strata.values():
        ordered = sorted(groups, key=lambda name: _rank(seed, corpus.name, name))
        test = round(len(ordered) * TEST_SHARE) if len(ordered) > 2 else 0
        validation = round(len(ordered) * VALIDATION_SHARE) if len(ordered) > 2 else 0
        if len(ordered) > 2:
            test, validation = max(1, test), max(1, validation)
        for place, name in enumerate(ordered):
            split: Split = (
                "test" if place < test else "validation" if place < test + validation else "train"
            )
            splits.update(dict.fromkeys(groups[name], split))
    return splits


def _rank(seed: int, corpus: str, group: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{corpus}\0{group}".encode()).digest()
