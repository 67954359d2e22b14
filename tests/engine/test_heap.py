"""Freed memory goes back after long programmes, and short ones do not pay for it."""

from __future__ import annotations

from typing import Any

import pytest

from defectscope.engine import heap


def test_only_a_programme_of_more_than_a_minute_gives_back(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(heap, "_trim", lambda: asked.append)
    heap.give_back(6.0)
    heap.give_back(60.0)
    assert asked == []
    heap.give_back(60.1)
    assert asked == [0]


@pytest.mark.parametrize("error", [OSError, AttributeError, TypeError])
def test_a_c_library_without_the_call_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    asked: list[Any] = []

    def refused(name: Any) -> Any:
        asked.append(name)
        raise error("not here")

    monkeypatch.setattr(heap.ctypes, "CDLL", refused)
    heap._trim.cache_clear()
    try:
        heap.give_back(3600.0)
        assert asked == [None]
        assert heap._trim() is None
    finally:
        heap._trim.cache_clear()
