"""The compiled kernel is kept between runs, and compiled anew where what was kept is of no use."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from defectscope import file_cache
from defectscope.features import kernel


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(file_cache.ENVIRONMENT, str(tmp_path))
    return tmp_path


def _exports(module: wasmtime.Module) -> list[str]:
    return sorted(export.name for export in module.exports)


def test_a_second_process_reads_the_compiled_kernel_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    _, first = kernel.compiled_kernel.__wrapped__()
    (kept,) = folder.glob("kernel-*.compiled")
    monkeypatch.setattr(wasmtime, "Module", _Uncompilable)
    _, second = kernel.compiled_kernel.__wrapped__()
    assert _exports(second) == _exports(first)
    assert kept.stat().st_size > 100_000


class _Uncompilable(wasmtime.Module):
    def __init__(self, *_: object) -> None:
        raise AssertionError("compiled although it was kept")


def test_a_kept_kernel_of_another_version_is_compiled_anew(folder: Path):
    _, first = kernel.compiled_kernel.__wrapped__()
    (kept,) = folder.glob("kernel-*.compiled")
    good = kept.read_bytes()
    # What another version wrote is whole, and this one cannot take it.
    file_cache.write(kept.name, b"\x7fELF of another version" + bytes(1000))
    _, second = kernel.compiled_kernel.__wrapped__()
    assert _exports(second) == _exports(first)
    assert len(kept.read_bytes()) == len(good)


def test_without_a_cache_the_kernel_is_compiled(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(file_cache.ENVIRONMENT, file_cache.OFF)
    _, module = kernel.compiled_kernel.__wrapped__()
    assert "measure_8" in _exports(module)
