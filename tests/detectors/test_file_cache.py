"""What networks were made into is kept, and nothing else is ever taken for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from defectscope import file_cache
from defectscope.file_cache import ENVIRONMENT, cache_folder, read, write


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "kept"))
    return tmp_path / "kept"


def test_what_is_written_is_read_and_is_this_users_alone(folder: Path):
    write("a.compiled", b"network")
    assert read("a.compiled") == b"network"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "a.compiled").stat().st_mode & 0o777 == 0o600
    assert [p.name for p in folder.iterdir()] == ["a.compiled"]
    assert read("b.compiled") is None


@pytest.mark.parametrize("harm", ["cut", "flipped", "emptied", "linked", "writable", "stranger"])
def test_files_that_were_not_written_here_are_not_read(folder: Path, tmp_path: Path, harm: str):
    write("a.compiled", b"network" * 100)
    path = folder / "a.compiled"
    data = bytearray(path.read_bytes())
    if harm == "cut":
        path.write_bytes(data[:-1])
    if harm == "flipped":
        data[40] ^= 1
        path.write_bytes(data)
    if harm == "emptied":
        path.write_bytes(b"")
    if harm == "linked":
        elsewhere = tmp_path / "elsewhere"
        path.rename(elsewhere)
        path.symlink_to(elsewhere)
    if harm == "writable":
        path.chmod(0o666)
    if harm == "stranger":
        if os.geteuid() != 0:
            pytest.skip("only root gives files away")
        os.chown(path, 12345, 12345)
    assert read("a.compiled") is None
    # It is made anew in its place.
    write("a.compiled", b"again")
    assert read("a.compiled") == b"again"


@pytest.mark.parametrize("harm", ["writable", "linked", "a file"])
def test_a_folder_that_others_can_write_to_is_left_alone(folder: Path, tmp_path: Path, harm: str):
    if harm == "writable":
        folder.mkdir()
        folder.chmod(0o777)
    if harm == "linked":
        (tmp_path / "real").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "real")
    if harm == "a file":
        folder.write_text("in the way")
    assert cache_folder() is None
    write("a.compiled", b"network")
    assert read("a.compiled") is None


def test_off_keeps_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(ENVIRONMENT, "off")
    write("a.compiled", b"network")
    assert read("a.compiled") is None
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_work_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    write("a.compiled", b"network")
    monkeypatch.setattr("tempfile.mkstemp", refuse)
    write("b.compiled", b"network")
    assert read("a.compiled") == b"network"
    assert read("b.compiled") is None


def test_what_was_used_longest_ago_makes_room(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(file_cache, "MAX_BYTES", 400)
    for number, name in enumerate(("old", "used", "new")):
        write(name, bytes(80))
        os.utime(folder / name, (number, number))
    assert read("old") is not None  # now the latest
    write("newest", bytes(80))
    assert {p.name for p in folder.iterdir()} == {"old", "new", "newest"}
