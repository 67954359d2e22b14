"""The fuzzer itself: equal cases from equal seeds, and failures that it must not miss."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(RUN), "--workers", "1", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)


@pytest.mark.slow
def test_a_few_cases_of_each_kind_end_well() -> None:
    done = fuzz("--media", "12", "--captions", "12", "--requests", "12")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 connections; 0 failures" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [(("--limit-s", "0"), "over its time limit"), (("--memory-mb", "1"), "memory")],
)
def test_bounds_are_kept(arguments: tuple[str, str], reason: str) -> None:
    done = fuzz("--only", "media:1", *arguments)
    assert done.returncode == 1
    assert reason in done.stdout


def test_cases_follow_from_their_numbers(tmp_path: Path) -> None:
    code = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1]); import random; "
        "from mutate import damaged, damaged_json; "
        "made = [damaged(random.Random(k), bytes(range(256)) * 8, [b'other']) for k in range(50)]; "
        "made += [repr(damaged_json(random.Random(k), {'a': [1, 'x'], 'b': {}})).encode('utf-8', "
        "'surrogatepass') for k in range(50)]; print(hashlib.sha256(b''.join(made)).hexdigest())"
    )
    sums = {
        subprocess.run(
            [sys.executable, "-c", code, str(RUN.parent)],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in (1, 2)
    }
    assert len(sums) == 1
