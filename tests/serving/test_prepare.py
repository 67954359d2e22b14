from __future__ import annotations

import stat
from pathlib import Path

import pytest

from defectscope import file_cache
from defectscope.serving import prepare

CONVERTED, REST = "one-0123.network", "rest-89ab.network"


class Faces:
    """A detector with a network that the sample has no need of."""

    def prepare_rest(self) -> None:
        file_cache.write(REST, b"for faces")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to prepare, with an analysis that keeps what real ones keep."""
    monkeypatch.setenv(file_cache.ENVIRONMENT, "off")

    def analyzed(_media: bytes) -> None:
        file_cache.write(CONVERTED, b"for any processor")
        file_cache.write("one-4567.compiled", b"for this processor")

    monkeypatch.setattr(prepare, "analyze", analyzed)
    monkeypatch.setattr(prepare, "load_all", lambda: [object(), Faces()])
    return tmp_path / "networks"


def test_only_what_any_processor_can_use_is_left_for_any_user(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert prepare.main([str(folder)]) == 0
    assert capsys.readouterr().out == f"{CONVERTED}\n{REST}\n"
    assert sorted(path.name for path in folder.iterdir()) == [CONVERTED, REST]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert stat.S_IMODE((folder / CONVERTED).stat().st_mode) == 0o644
    monkeypatch.setenv(file_cache.SHIPPED_ENVIRONMENT, str(folder))
    assert file_cache.shipped(CONVERTED) == b"for any processor"


def test_an_image_without_networks_is_not_built(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir(mode=0o700)
    monkeypatch.setattr(prepare, "analyze", lambda _media: None)
    monkeypatch.setattr(prepare, "load_all", lambda: [])
    assert prepare.main([str(folder)]) == 1
    assert prepare.main([]) == 2
