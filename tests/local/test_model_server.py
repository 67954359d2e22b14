"""A model's server that dies is replaced, also when the first replacements do not start."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from defectscope.container.messages import BodyReader
from defectscope.errors import ServingError
from defectscope.local import model_server
from defectscope.local.model_server import ModelServer, ModelUnreachableError


class Fake:
    """A TorchServe that starts or not, as the test says."""

    outcomes: ClassVar[list[Exception | None]] = []
    made: ClassVar[list[Fake]] = []

    def __init__(self, *_args: object, **_named: object) -> None:
        outcome = self.outcomes.pop(0)
        if outcome is not None and not isinstance(outcome, TimeoutError):
            raise outcome
        self.late = outcome is not None
        self.running = True
        self.connections = self
        self.made.append(self)

    def wait_ready(self, timeout_s: float) -> None:
        if self.late:
            raise ServingError(f"TorchServe was not ready within {timeout_s:g} s")

    def scale(self) -> None:
        assert not self.late

    def lend(self, _timeout_s: float) -> None:
        raise AssertionError("reached")

    def stop(self) -> None:
        self.running = False


def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcomes: list) -> ModelServer:
    monkeypatch.setattr(model_server, "TorchServe", Fake)
    monkeypatch.setattr(model_server, "fetch_archive", lambda *_: tmp_path / "a.mar")
    monkeypatch.setattr(Fake, "made", [])
    monkeypatch.setattr(Fake, "outcomes", outcomes)
    workplace = SimpleNamespace(
        settings=SimpleNamespace(start_timeout_s=5.0, heap_mb=64),
        starts=threading.Lock(),
        folder=tmp_path,
        url="http://127.0.0.1:1",
        moto=None,
    )
    spec = SimpleNamespace(environment={})
    return ModelServer(
        workplace, "eu-west-1", spec, log_path=tmp_path / "log", capacity=2, max_body_bytes=1000
    )  # fmt: skip


def receive(server: ModelServer) -> None:
    with server.receiving(BodyReader(io.BytesIO(b"body"), 4, chunked=False), 100):
        raise AssertionError("received")


def test_a_body_that_comes_as_the_server_ends_is_told_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_server, "_WATCH_S", 0.01)
    ending, may_end = threading.Event(), threading.Event()

    def stop(fake: Fake) -> None:
        fake.running = False
        fake.body_folder.rmdir()
        ending.set()
        assert may_end.wait(60)

    monkeypatch.setattr(Fake, "body_folder", tmp_path / "bodies", raising=False)
    Fake.body_folder.mkdir()
    server = begun(tmp_path, monkeypatch, [None, None])
    try:
        with pytest.raises(AssertionError, match="received"):
            receive(server)
        monkeypatch.setattr(Fake, "stop", stop)
        # The folder is gone and the server is still thought to run.
        first = Fake.made[0]
        Fake.body_folder.rmdir()
        with pytest.raises(ModelUnreachableError):
            receive(server)
        # It is known to have ended, and is being cleared away.
        Fake.body_folder.mkdir()
        first.running = False
        assert ending.wait(60)
        with pytest.raises(ModelUnreachableError):
            server.invoke(b"", 0, {}, timeout_s=1.0)
    finally:
        monkeypatch.setattr(Fake, "stop", lambda _fake: None)
        may_end.set()
        server.stop()


def test_a_replacement_that_does_not_start_is_tried_again(tmp_path: Path, monkeypatch) -> None:
    failures = [ServingError("no Java"), TimeoutError(), OSError("no space")]
    server = begun(tmp_path, monkeypatch, [None, *failures, None])
    try:
        Fake.made[0].running = False
        deadline_s = time.monotonic() + 20
        refused = 0
        while len(Fake.made) < 3:
            assert time.monotonic() < deadline_s, "nothing came in its place"
            try:
                server.invoke(b"", 0, {}, timeout_s=1.0)
            except ModelUnreachableError:
                refused += 1
            except AssertionError:
                assert server._server is Fake.made[0]
            time.sleep(0.02)
        assert refused
        time.sleep(0.2)
        with pytest.raises(AssertionError, match="reached"):
            server.invoke(b"", 0, {}, timeout_s=1.0)
        assert not Fake.outcomes
        # The one that was late was ended; the last one runs.
        assert [fake.running for fake in Fake.made] == [False, False, True]
    finally:
        server.stop()
    assert not Fake.made[-1].running
