"""The review page in a browser: sixty items by keys, undo, reload and a server that is killed."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from defectscope.learning import queue_folder
from defectscope.learning.items import read_items
from defectscope.learning.labels import LabelFile
from defectscope.learning.review_server import ReviewServer
from defectscope.learning.review_session import ReviewSession


@pytest.fixture
def served(queue: Path) -> Iterator[tuple[Path, ReviewServer]]:
    server = ReviewServer(ReviewSession(queue, "kn"))
    server.start()
    yield queue, server
    server.stop()


def ask(server: ReviewServer, method: str, path: str, body: Any = None, **headers: str) -> int:
    port = int(server.url.rstrip("/").rsplit(":", 1)[1])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    sent = {"Content-Type": "application/json"} | headers
    connection.request(method, path, None if body is None else json.dumps(body), sent)
    status = connection.getresponse().status
    connection.close()
    return status


def test_pages_of_others_and_paths_out_of_the_folder_are_refused(
    served: tuple[Path, ReviewServer],
) -> None:
    queue, server = served
    (queue / "evidence" / "secret").mkdir(parents=True)
    (queue / "evidence" / "secret" / "clip.wav").write_bytes(b"x")
    item = read_items(queue)[0]
    good = {"item": item.id, "answer": "false"}
    assert ask(server, "GET", "/") == 200
    assert ask(server, "GET", "/", Host="evil.example") == 403
    assert ask(server, "GET", "/evidence/secret/clip.wav") == 404
    assert ask(server, "GET", f"/evidence/{item.id}/../../queue.json") == 404
    assert ask(server, "GET", f"/evidence/{item.id}%2f..%2f..%2fqueue.json") == 404
    assert ask(server, "POST", "/api/label", good, Origin="http://evil.example") == 403
    assert ask(server, "POST", "/api/label", good, **{"Content-Type": "text/plain"}) == 415
    assert ask(server, "POST", "/api/label", {**good, "region": ["x" * 70_000]}) == 413
    assert ask(server, "POST", "/api/label", {**good, "item": "0" * 16}) == 400
    assert ask(server, "POST", "/api/label", {**good, "answer": "undone"}) == 400
    assert ask(server, "POST", "/api/label", {**good, "answer": "true", "defect": "flood"}) == 400
    assert ask(server, "POST", "/api/label", {**good, "answer": "true", "start_s": "x"}) == 400
    assert ask(server, "POST", "/api/label", [1]) == 400
    assert LabelFile(queue).every() == []
    assert ask(server, "POST", "/api/label", good) == 200
    assert len(LabelFile(queue).current()) == 1


@pytest.mark.slow
@pytest.mark.browser
def test_sixty_items_by_keys_with_undo_reload_and_a_kill(
    title: Any, tmp_path: Path, browser: Any
) -> None:
    queue = tmp_path / "queue"
    reports = [title(f"t{k:03d}.wav", k, confidence=0.5 + k / 200) for k in range(70)]
    queue_folder.add_round(queue, reports, count=60)
    asked = [item.id for item in read_items(queue)]
    assert len(asked) == 60
    server, url = _start(queue, 0)
    try:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        complaints: list[str] = []

        def on_error(error: Any) -> None:
            complaints.append(str(error))

        page.on("pageerror", on_error)
        page.goto(url)
        keys = ["t", "f", "u"]
        for number in range(30):
            page.wait_for_selector(f"body[data-item='{asked[number]}']")
            page.keyboard.press(keys[number % 3])
        page.wait_for_selector(f"body[data-item='{asked[30]}']")
        page.keyboard.press("z")
        page.wait_for_selector(f"body[data-item='{asked[29]}']")
        page.keyboard.press("f")
        page.wait_for_selector(f"body[data-item='{asked[30]}']")
        # Wrong ends: half a second later, and back at the other side.
        page.keyboard.press("e")
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        page.keyboard.press("Tab")
        page.keyboard.press("Shift+ArrowLeft")
        page.keyboard.press("Enter")
        page.wait_for_selector(f"body[data-item='{asked[31]}']")
        page.keyboard.press("d")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        page.wait_for_selector(f"body[data-item='{asked[32]}']")
        page.reload()
        page.wait_for_selector(f"body[data-item='{asked[32]}']")
        # A server that is killed takes no answer with it, and the page says so.
        _kill(server)
        page.keyboard.press("t")
        page.wait_for_selector("#fault:not([hidden])")
        assert "Not saved" in page.inner_text("#fault")
        assert page.get_attribute("body", "data-item") == asked[32]
        server, _ = _start(queue, int(url.rstrip("/").rsplit(":", 1)[1]))
        for number in range(32, 60):
            page.wait_for_selector(f"body[data-item='{asked[number]}']")
            page.keyboard.press("t")
        page.wait_for_selector("#done:not([hidden])")
        page.close()
    finally:
        _kill(server)
    labels = {label.item: label for label in LabelFile(queue).current()}
    assert set(labels) == set(asked)
    assert complaints == []
    item = read_items(queue)[30]
    own = labels[asked[30]]
    assert own.answer == "wrong_ends"
    assert own.start_s == pytest.approx(item.start_s + 0.5)
    assert own.end_s == pytest.approx(item.end_s - 1.0)
    assert labels[asked[31]].region == (0.3, 0.25, 0.5, 0.5)
    assert labels[asked[29]].answer == "false"
    assert all(0 < label.seconds < 60 for label in labels.values())


def _kill(server: subprocess.Popen[str]) -> None:
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    assert server.stdout is not None
    server.stdout.close()


def _start(queue: Path, port: int) -> tuple[subprocess.Popen[str], str]:
    server = subprocess.Popen(
        [sys.executable, "-m", "defectscope.cli.main", "review", str(queue),
         "--reviewer", "kn", "--port", str(port)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    line = server.stdout.readline()
    assert line.startswith("http"), line
    return server, line.split()[0]
