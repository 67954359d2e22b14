from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from defectscope.errors import InvalidParameterError
from defectscope.training.cache import Cache
from defectscope.training.contract import Item, PreparationJob


def _item(key: str, value: float) -> Item:
    arrays = {"a": np.full((3, 5), value, np.float16), "b": np.arange(7, dtype=np.int64)}
    return Item(key, "train", arrays, {"value": value})


def test_arrays_come_back_as_they_went_in(tmp_path: Path) -> None:
    cache = Cache(tmp_path, {"k": 1})
    jobs = [
        PreparationJob(f"unit{u}", lambda u=u: iter([_item(f"{u}/{k}", u + k) for k in (1, 0)]))
        for u in (1, 0)
    ]
    assert cache.fill(jobs, max_bytes=10**6)
    assert [f["value"] for f in cache.facts("train")] == [0, 1, 1, 2]
    assert cache.facts("test") == []
    got = cache.array("train", 3, "a")
    assert got.dtype == np.float16
    assert np.array_equal(got, np.full((3, 5), 2.0))
    assert np.array_equal(cache.array("train", 0, "b"), np.arange(7))
    with pytest.raises(ValueError, match="read-only"):
        got[0, 0] = 1


def test_a_unit_that_died_half_way_is_made_again_and_finished_ones_are_not(tmp_path: Path) -> None:
    made: list[str] = []

    def unit(name: str, dies: bool) -> Iterator[Item]:
        made.append(name)
        yield _item(f"{name}/0", 1.0)
        if dies:
            raise KeyboardInterrupt
        yield _item(f"{name}/1", 2.0)

    def jobs(dies: bool) -> list[PreparationJob]:
        return [
            PreparationJob("a", lambda: unit("a", False)),
            PreparationJob("b", lambda: unit("b", dies)),
        ]

    with pytest.raises(KeyboardInterrupt):
        Cache(tmp_path, {}).fill(jobs(True), max_bytes=10**6)
    again = Cache(tmp_path, {})
    assert len(again.facts("train")) == 2
    assert again.fill(jobs(False), max_bytes=10**6)
    assert made == ["a", "b", "b"]
    assert len(again.facts("train")) == 4


def test_the_size_limit_holds(tmp_path: Path) -> None:
    def big(u: int) -> Iterator[Item]:
        yield Item(f"{u}", "train", {"a": np.zeros(5000, np.uint8)}, {})

    cache = Cache(tmp_path, {})
    seen: list[Any] = []
    jobs = [PreparationJob(f"u{u}", lambda u=u: big(u)) for u in range(10)]
    done = cache.fill(jobs, max_bytes=12_000, progress=lambda *a: seen.append(a))
    assert not done
    assert len(cache.facts("train")) == 3
    assert seen[-1][2] <= 12_000 + 5000


def test_a_cache_of_other_settings_is_refused(tmp_path: Path) -> None:
    Cache(tmp_path, {"seed": 0})
    Cache(tmp_path, {"seed": 1}).fill([], max_bytes=0)
    Cache(tmp_path, {"seed": 1})
    with pytest.raises(InvalidParameterError, match="other settings"):
        Cache(tmp_path, {"seed": 2})
