"""What every served page has in common: foreign hosts and origins, tokens, bodies, headers."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator

import pytest

from defectscope.errors import InvalidParameterError
from defectscope.page_server import (
    MAX_BODY_BYTES,
    PageHandler,
    is_loopback,
    listen,
    same_token,
    url_of,
)


class Handler(PageHandler):
    policy = "default-src 'none'"

    def get(self) -> None:
        if self.is_local():
            self.answer(200, "text/plain", b"here")
        else:
            self.refuse(403, "forbidden", "not from there")

    def post(self) -> None:
        if self.is_from_elsewhere():
            self.refuse(403, "forbidden", "not from there")
        elif refusal := self.body_refusal():
            self.refuse(refusal, "body_too_large", "too much")
        else:
            self.answer_json(200, {"bytes": len(self.body())})


@pytest.fixture
def port() -> Iterator[int]:
    server = listen(0, Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()


def ask(
    port: int, method: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, "/", body, named)
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def test_a_page_is_answered_with_the_bars_in_place(port: int) -> None:
    status, headers, body = ask(port, "GET")
    assert (status, body) == (200, b"here")
    assert headers["Content-Security-Policy"] == "default-src 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "Python" not in headers["Server"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:9000", 200),  # the near end of a tunnel
        ("127.0.0.1:1", 200),
        ("[::1]:80", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("", 403),
    ],
)
def test_a_name_from_elsewhere_that_points_here_is_refused(
    port: int, host: str, status: int
) -> None:
    assert ask(port, "GET", Host=host)[0] == status


def test_a_page_from_elsewhere_sends_nothing(port: int) -> None:
    own = f"http://127.0.0.1:{port}"
    assert ask(port, "POST", b"x", Origin=own)[0] == 200
    assert ask(port, "POST", b"x")[0] == 200
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{port}"):
        status, _, body = ask(port, "POST", b"x", Origin=origin)
        assert (status, json.loads(body)["error"]["code"]) == (403, "forbidden")


def test_bodies_have_a_length_and_a_bound(port: int) -> None:
    assert ask(port, "POST", b"x" * MAX_BODY_BYTES)[0] == 200
    assert ask(port, "POST", b"x" * (MAX_BODY_BYTES + 1))[0] == 413
    for length in ("x", "-1", "\xb2"):
        assert ask(port, "POST", None, Content_Length=length)[0] == 411


def test_a_body_that_was_not_read_ends_the_connection(port: int) -> None:
    # Otherwise what was refused would be read as the next request.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/", b"GET / HTTP/1.1\r\n\r\n", {"Origin": "http://evil.example"})
    answer = connection.getresponse()
    assert answer.status == 403
    answer.read()
    assert answer.will_close


def test_tokens_are_compared_whatever_is_sent() -> None:
    assert same_token("secret", "secret")
    for given in (None, "", "secre", "secret ", "s\u00e9cret", "\ud800"):
        assert not same_token(given, "secret")


def test_which_addresses_are_this_machine_alone() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.0.1", "example.org", "")))


def test_a_port_that_is_taken_is_a_usage_error(port: int) -> None:
    with pytest.raises(InvalidParameterError, match=f"port {port} of 127.0.0.1: address already"):
        listen(port, Handler)
    with pytest.raises(InvalidParameterError):
        listen(70_000, Handler)


def test_the_address_ends_with_a_slash(port: int) -> None:
    server = listen(0, Handler)
    assert url_of(server) == f"http://127.0.0.1:{server.server_address[1]}/"
    server.server_close()
