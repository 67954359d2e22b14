"""Keeps what networks and the kernel were compiled to between runs: files that may be deleted.

`DEFECTSCOPE_CACHE` names the folder, `off` keeps nothing; without it, it is `defectscope` in the
system's folder for caches. What is read is what was written: the folder and its files must belong
to this user, nobody else may write there, and each file begins with the SHA-256 of the rest.
Whatever stands against this, a file system that cannot be written to among it, means working
without a cache, never an error.

`DEFECTSCOPE_NETWORKS` names a second folder, which is only read: what an image was built with.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ENVIRONMENT = "DEFECTSCOPE_CACHE"
SHIPPED_ENVIRONMENT = "DEFECTSCOPE_NETWORKS"
OFF = "off"
# A network takes 0.1 to 8 MB for each size of frame.
MAX_BYTES = 256 << 20

_DIGEST_BYTES = hashlib.sha256().digest_size
_log = logging.getLogger(__name__)

_Kind = Callable[[int], bool]
_Trust = Callable[[os.stat_result, _Kind], bool]


def cache_folder() -> Path | None:
    """Returns the folder, made where it is missing; None where nothing can be kept."""
    folder = _named()
    if folder is None:
        return None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_own(folder.lstat(), stat.S_ISDIR):
            return folder
        _log.info("%s: not this user's alone; nothing is kept", folder)
    except OSError as error:
        _log.info("%s: %s; nothing is kept", folder, error.strerror)
    return None


def read(name: str) -> bytes | None:
    """Returns the bytes kept under a name; None if there are none, or none to trust."""
    folder = cache_folder()
    return None if folder is None else _payload(folder / name, _is_own)


def shipped(name: str) -> bytes | None:
    """Returns what came with the installation under a name; None where there is nothing.

    The folder and its files belong to root or to this user, and nobody else may write there.
    """
    named = os.environ.get(SHIPPED_ENVIRONMENT)
    if not named:
        return None
    folder = Path(named).absolute()
    try:
        trusted = _is_trusted(folder.lstat(), stat.S_ISDIR)
    except OSError:
        return None
    return _payload(folder / name, _is_trusted) if trusted else None


def _payload(path: Path, trusts: _Trust) -> bytes | None:
    """Returns what a file holds behind its SHA-256; None where it is not to be trusted."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with open(handle, "rb") as file:
            facts = os.fstat(handle)
            if not trusts(facts, stat.S_ISREG) or facts.st_size > MAX_BYTES:
                return None
            data = file.read()
    except OSError:
        return None
    digest, payload = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() != digest:
        _log.info("%s: damaged; made anew", path)
        return None
    # What is used is kept longest.
    with contextlib.suppress(OSError):
        os.utime(path)
    return payload


def write(name: str, payload: bytes) -> None:
    """Keeps something under a name, whole or not at all, and makes room where it is needed."""
    folder = cache_folder()
    if folder is None or len(payload) > MAX_BYTES // 4:
        return
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=".new-", dir=folder)
        with open(handle, "wb") as file:
            file.write(hashlib.sha256(payload).digest() + payload)
        os.replace(temporary, folder / name)
        _make_room(folder)
    except OSError as error:
        _log.info("%s: %s; nothing is kept", folder, error.strerror)
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _make_room(folder: Path) -> None:
    """Removes what was used longest ago until the rest fits."""
    kept = [(path, path.stat()) for path in folder.iterdir() if path.is_file()]
    total = sum(facts.st_size for _, facts in kept)
    for path, facts in sorted(kept, key=lambda each: each[1].st_mtime):
        if total <= MAX_BYTES:
            break
        path.unlink(missing_ok=True)
        total -= facts.st_size


def _named() -> Path | None:
    named = os.environ.get(ENVIRONMENT)
    if named == OFF:
        return None
    if named:
        return Path(named).absolute()
    try:
        if sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        elif sys.platform == "darwin":
            base = Path.home() / "Library" / "Caches"
        else:
            # Source: XDG Base Directory Specification 0.8.
            base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # nobody's home
        return None
    return base.absolute() / "defectscope"


def _is_own(facts: os.stat_result, is_kind: _Kind) -> bool:
    """Tells whether something is of a kind, this user's, and nobody else's to write to."""
    return _belongs_to(("user",), facts, is_kind)


def _is_trusted(facts: os.stat_result, is_kind: _Kind) -> bool:
    """Tells whether something is of a kind, this user's or root's, and no other may write to it."""
    return _belongs_to(("user", "root"), facts, is_kind)


def _belongs_to(whom: tuple[str, ...], facts: os.stat_result, is_kind: _Kind) -> bool:
    if not is_kind(facts.st_mode):
        return False
    if not hasattr(os, "geteuid"):
        return True
    owners = {"user": os.geteuid(), "root": 0}
    written_by_others = facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return facts.st_uid in {owners[name] for name in whom} and not written_by_others
