from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from defectscope.errors import InvalidParameterError
from defectscope.media.stills import encode_jpeg
from defectscope.monitor.board import Board
from defectscope.monitor.config import read_config
from defectscope.monitor.store import Store
from defectscope.monitor.wall import Wall

CONFIG = """
[[channel]]
name = "news"
url = "udp://s3cr3t@127.0.0.1:5000"
[[channel]]
name = "film"
url = "udp://127.0.0.1:5002"
"""
TOKEN = "a token that is long enough"


def state(channel: str, **more: Any) -> dict[str, Any]:
    base = {"channel": channel, "state": "ok", "level": "all", "lag_s": 0.1, "frames": 10}
    base |= {"bytes": 1000, "packets": 990, "missing_packets": 10, "errors": {"1.4": 3}}
    return base | {"alarms": [], "loudness": {"short_term_lufs": -22.5}} | more


def event(channel: str, what: str, defect: str, wall: str) -> dict[str, Any]:
    data = {"alarm_id": "1" * 32, "channel": channel, "state": what, "defect": defect}
    data |= {"severity": "major", "start_time": wall, "start_s": 3.0}
    if what == "cleared":
        data |= {"end_time": wall, "duration_s": 2.5}
    return {"id": "1" * 32 + "-" + what, "data": data}


@pytest.fixture
def board() -> Board:
    made = Board()
    store = Store(":memory:")
    made.configured(read_config(CONFIG), store)
    store.close()
    import base64

    import numpy as np

    frame = np.full((90, 160, 3), (40, 120, 200), np.uint8)
    text = base64.b64encode(encode_jpeg(frame)).decode()
    made.states(0, [state("news", thumbnail=text), state("film")], {"cpu_s": 1.5, "rss_bytes": 1e6})
    return made


@pytest.fixture
def wall(board: Board) -> Iterator[Wall]:
    made = Wall(board)
    made.start()
    yield made
    made.stop()


def get(wall: Wall, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    place = wall.url.removeprefix("http://").rstrip("/")
    connection = http.client.HTTPConnection(place, timeout=5)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def test_the_board_is_served(wall: Wall) -> None:
    status, headers, body = get(wall, "/api/state")
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert [c["channel"] for c in json.loads(body)["channels"]] == ["news", "film"]
    assert b"s3cr3t" not in body
    assert get(wall, "/thumbnails/news")[2][:2] == b"\xff\xd8"
    assert get(wall, "/thumbnails/film")[0] == 404
    assert get(wall, "/../etc/passwd")[0] == 404


def test_metrics_are_for_prometheus(wall: Wall) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    body = get(wall, "/metrics")[2].decode()
    assert "s3cr3t" not in body
    found = {f.name: f for f in text_string_to_metric_families(body)}
    frames = found["defectscope_channel_frames"].samples
    assert {(s.labels["channel"], s.value) for s in frames} == {("news", 10.0), ("film", 10.0)}
    errors = found["defectscope_channel_tr101290_errors"].samples[0]
    assert (errors.labels["measure"], errors.value) == ("1.4", 3.0)
    loud = found["defectscope_channel_loudness_lufs"].samples[0]
    assert (loud.labels["scale"], loud.value) == ("short_term", -22.5)


def test_others_need_a_token(board: Board) -> None:
    with pytest.raises(InvalidParameterError, match="DEFECTSCOPE_MONITOR_TOKEN"):
        Wall(board, "0.0.0.0")
    with pytest.raises(InvalidParameterError, match="fewer than"):
        Wall(board, "0.0.0.0", token="short")
    wall = Wall(board, token=TOKEN)
    wall.start()
    try:
        assert get(wall, "/api/state")[0] == 401
        assert get(wall, "/metrics", Authorization="Bearer wrong")[0] == 401
        assert get(wall, "/metrics", Authorization=f"Bearer {TOKEN}")[0] == 200
        status, headers, _ = get(wall, "/?token=" + TOKEN.replace(" ", "%20"))
        assert status == 303
        assert headers["Location"] == "/"
        assert "HttpOnly" in headers["Set-Cookie"]
    finally:
        wall.stop()


def test_a_foreign_page_cannot_read_it(wall: Wall) -> None:
    assert get(wall, "/api/state", Host="evil.example")[0] == 403


class Process:
    """Tells a board how channels are, twice a second as the process of a group does.

    A channel of which nothing is heard for 5 s is closed, and browsers may take longer to start.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._now = [state("news"), state("film")]
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def tells(self, *states: dict[str, Any]) -> None:
        self._now = list(states)
        self._board.states(0, self._now, {})

    def _work(self) -> None:
        while not self._stopped.wait(0.5):
            self._board.states(0, self._now, {})

    @contextlib.contextmanager
    def running(self) -> Iterator[Process]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stopped.set()
            self._thread.join()


def test_followers_hear_of_a_channel_that_nothing_comes_of_any_more(
    wall: Wall, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("defectscope.monitor.board._STALE_S", 1.0)
    monkeypatch.setattr("defectscope.monitor.wall._ALIVE_S", 0.2)
    board.states(0, [state("news"), state("film")], {})
    place = wall.url.removeprefix("http://").rstrip("/")
    connection = http.client.HTTPConnection(place, timeout=10)
    connection.request("GET", "/api/events")
    answer = connection.getresponse()
    seen: list[str] = []
    while not seen or seen[-1] != "closed":
        line = answer.readline()
        if line.startswith(b"data: "):
            seen.append(json.loads(line[6:])["channels"][0]["state"])
    connection.close()
    assert seen[0] == "ok"


@pytest.mark.browser
def test_the_page_follows_without_reload(wall: Wall, board: Board, browser: Any) -> None:
    page = browser.new_page()
    wrong: list[str] = []
    with Process(board).running() as process:

        def on_error(error: Any) -> None:
            wrong.append(str(error))

        def on_console(message: Any) -> None:
            if message.type == "error":
                wrong.append(message.text)

        page.on("pageerror", on_error)
        page.on("console", on_console)
        page.goto(wall.url)
        page.wait_for_selector("article.ok[data-channel=news] img:not([hidden])")
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        board.event(event("news", "opened", "black_frames", now))
        process.tells(state("news", state="alarm", alarms=["black_frames"]), state("film"))
        page.wait_for_selector("article.alarm[data-channel=news] .alarms i")
        assert page.inner_text("article.alarm .alarms") == "black frames"
        assert page.inner_text("#count-alarm") == "1"
        # Whoever needs somebody comes first.
        assert page.locator("article").first.get_attribute("data-channel") == "news"
        board.event(event("news", "cleared", "black_frames", now))
        process.tells(state("news"), state("film"))
        page.wait_for_selector("article.ok[data-channel=news]")
        assert "2.5 s" in page.inner_text("article[data-channel=news] ol")
        board.configuration_error = "channels.toml, line 3: <b>wrong</b>"
        process.tells(state("news"))
        page.wait_for_selector("#error:not([hidden])")
        assert "<b>" in page.inner_text("#error")
    page.close()
    assert wrong == []
