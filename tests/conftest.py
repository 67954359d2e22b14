"""Clips that several areas test with, synthesised once per run."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

# As the command does it, for tests and the processes they start, before NumPy is imported: with
# small matrices a second thread of OpenBLAS only waits, and burns a core that the others want.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# PyTorch likewise: each process of the suite has a core of its own to begin with.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Byte code is kept: else every process that a test starts compiles the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import numpy as np
import pytest

from defectscope import parallel
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.writer import write_clip
from defectscope.simulate.synthetic.material import Footage, frame_of
from defectscope.simulate.synthetic.soundscape import music_like, runs_of

RATE_HZ = 48000

# Benchmarks are scripts, not a package; tests run some of what they do.
sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
sys.path.append(str(Path(__file__).parent))
from server_errors import ServerErrors  # noqa: E402

# A shell starts what runs in the background deaf to ctrl-C, and so would be all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What collecting imports and makes stays until the end: there is no garbage to look for meanwhile,
# nor among it later.
gc.disable()


def pytest_configure(config: pytest.Config) -> None:
    # Files are dealt out in the order of `dearest_first`, not by how many tests they have.
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def dearest_first(slow: int, tests: int) -> tuple[int, int]:
    """Sorts files: those with slow tests come first, so that none of them is begun last.

    Args:
        slow: Tests of a file that are marked `slow`.
        tests: All of its tests.
    """
    return -slow, -tests


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow, tests = Counter[Path](), Counter[Path]()
    for item in items:
        tests[item.path] += 1
        slow[item.path] += item.get_closest_marker("slow") is not None
    items.sort(key=lambda item: dearest_first(slow[item.path], tests[item.path]))


def pytest_collection_finish() -> None:
    gc.enable()
    gc.freeze()


@pytest.fixture(scope="session")
def impaired_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds of open-GOP H.264 with AAC, with one of each spine defect.

    Black from 2.0 to 2.6 s, frozen from 5.0 to 6.2 s, sound gone from 8.0 to 8.4 s.
    """
    path = tmp_path_factory.mktemp("clips") / "impaired.mp4"
    rate = Fraction(25)
    footage = Footage(seed=7, width=320, height=176, rate=rate, frames=300, cuts_s=(4.0, 9.0))

    def frames():
        held = None
        for frame in footage:
            time_s = frame.pts / 25
            if 2.0 <= time_s < 2.6:
                black = [np.full((176, 320), 16.0), np.full((88, 160), 128.0)]
                yield frame_of([black[0], black[1], black[1]], frame.pts)
                continue
            if 5.0 <= time_s < 6.2:
                held = held or frame
                yield frame_of([p.pixels.astype(np.float32) for p in held.planes], frame.pts)
                continue
            yield frame

    sound = music_like(3, 12.0, RATE_HZ).copy()
    sound[8 * RATE_HZ : int(8.4 * RATE_HZ)] = 0
    encoding = VideoEncoding(
        320, 176, rate, crf=20.0, gop_frames=30, b_frames=3, open_gop=True, preset="veryfast"
    )
    # Without noise substitution, whose random generator is decoder state that no pre-roll
    # restores; docs/invariants.md has what that costs where it is used.
    audio = AudioEncoding(options={"aac_pns": "0"})
    write_clip(path, frames=frames(), runs=runs_of(sound), video=encoding, audio=audio)
    return path


@pytest.fixture
def shared_at_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets processes share clips of a few seconds, which one alone would take otherwise."""
    monkeypatch.setattr(parallel, "LEAST_SHARED_S", 0.0)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium for the tests of pages; skips where it or playwright is not installed."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    # A script of benchmarks/, which is on the path by now only.
    import chromium

    if chromium.executable() is None:
        pytest.skip("chromium is not installed (apt: chromium)")
    with chromium.headless() as browser:
        yield browser


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-golden", action="store_true", help="record tests/golden anew")


@pytest.fixture(scope="session")
def server_errors() -> ServerErrors:
    """Errors in the logs of servers that tests start."""
    errors = ServerErrors()
    errors.watch()
    return errors


@pytest.fixture(autouse=True)
def no_unexpected_error_is_logged(
    caplog: pytest.LogCaptureFixture,
    request: pytest.FixtureRequest,
    server_errors: ServerErrors,
) -> Iterator[None]:
    """Fails a test during which an ERROR is logged, unless it is marked `logs_errors`.

    Here by the package, or by a server that tests have started.
    """
    yield
    elsewhere = server_errors.take()
    if request.node.get_closest_marker("logs_errors") is None:
        ours = [r for r in caplog.get_records("call") if r.name.startswith("defectscope")]
        errors = [r for r in ours if r.levelno >= logging.ERROR]
        assert not errors, [f"{r.name}: {r.getMessage()}" for r in errors]
        assert not elsewhere, elsewhere
