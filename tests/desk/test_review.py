"""Decisions in waivers.toml, and the server of a report's page."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from defectscope.desk.decisions import Decisions
from defectscope.desk.review_server import Reviewed, ReviewServer
from defectscope.errors import InvalidParameterError
from defectscope.findings import Finding, Report
from defectscope.profiles import apply_profile, load_profile
from defectscope.waivers import apply_waivers, load_waivers

HOUSE = """
[profile]
id = "house"
title = "House"
edition = "1"
about = "For a test."

[sources.contract]
title = "Contract"
edition = "1"
states = "annex"

[[rules]]
id = "no-freeze"
title = "No freeze"
source = "contract"
detector = "freeze"
"""


def report() -> Report:
    def found(detector: str, start_s: float, severity: Any = "major") -> Finding:
        return Finding(detector, detector, start_s, start_s + 1, 0.9, severity)

    findings = (found("freeze", 1.0), found("freeze", 5.0), found("blur", 8.0, "minor"))
    return Report(
        asset={"uri": "in/a[1].mov", "duration_s": 10.0, "sha256": "ab" * 32},
        findings=findings,
        verdicts={"freeze": {"verdict": "fail"}, "blur": {"verdict": "warn"}},
        curves={},
        detectors={},
        timing={},
    )


def accepted(index: int, **more: Any) -> dict[str, Any]:
    return {"index": index, "kind": "accepted", "who": "A. B.", "reason": 'end "card"', **more}


def test_what_is_accepted_is_a_waiver_that_analyze_reads(tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text("# of the house\n", "utf-8")
    desk = Decisions(report(), path, None)
    now = desk.decide(accepted(0, until="2999-01-31"))
    assert now.findings[0].waiver == {"reason": 'end "card"', "who": "A. B.", "until": "2999-01-31"}
    assert now.findings[1].waiver is None
    assert now.verdict == "fail"
    now = desk.decide(accepted(1))
    assert now.verdicts["freeze"] == {"verdict": "pass", "reason": "waived"}
    assert now.verdict == "warn"
    # Another run reads the same.
    again = apply_waivers(report(), load_waivers(path))
    assert [f.waiver is not None for f in again.findings] == [True, True, False]
    # Taken back, nothing of it is left, and what stood there before still does.
    for index in (0, 1):
        now = desk.decide({"index": index, "kind": "open"})
    assert now.verdicts["freeze"]["verdict"] == "fail"
    assert path.read_text("utf-8") == "# of the house\n"


def test_what_is_rejected_stays_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    desk = Decisions(report(), path, None)
    desk.decide(accepted(0))
    now = desk.decide({"index": 0, "kind": "rejected", "who": "C", "reason": "seen on air"})
    assert now.findings[0].waiver is None
    assert desk.rejected() == {0: {"reason": "seen on air", "who": "C"}}
    assert load_waivers(path).entries == ()


def test_a_report_without_hash_is_known_by_its_very_name(tmp_path: Path) -> None:
    one = report()
    asset = {name: value for name, value in one.asset.items() if name != "sha256"}
    desk = Decisions(replace(one, asset=asset), tmp_path / "w.toml", None)
    assert desk.decide(accepted(2)).findings[2].waiver is not None
    assert load_waivers(tmp_path / "w.toml").entries[0].asset == "a[[]1].mov"


def test_the_rules_are_decided_again(tmp_path: Path) -> None:
    (tmp_path / "house.toml").write_text(HOUSE, "utf-8")
    profile = load_profile(str(tmp_path / "house.toml"))
    desk = Decisions(apply_profile(report(), profile), tmp_path / "w.toml", profile)
    assert desk.current().verdict == "fail"
    desk.decide(accepted(0))
    now = desk.decide(accepted(1))
    assert [rule["verdict"] for rule in now.rules] == ["pass"]
    assert now.verdict != "fail"


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"index": 9, "kind": "accepted", "who": "a", "reason": "b"},
        {"index": -1, "kind": "open"},
        {"index": 0, "kind": "maybe", "who": "a", "reason": "b"},
        {"index": 0, "kind": "accepted", "who": " ", "reason": "b"},
        {"index": 0, "kind": "accepted", "who": "a", "reason": 7},
        {"index": 0, "kind": "accepted", "who": "a", "reason": "b", "until": "soon"},
    ],
)
def test_decisions_that_make_no_sense_write_nothing(wanted: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    with pytest.raises(InvalidParameterError):
        Decisions(report(), path, None).decide(wanted)
    assert not path.exists()


def test_a_waiver_by_hand_is_left_to_the_hand(tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    text = '[[waivers]]\nasset = "a*"\ndefect = "*"\nreason = "r"\nwho = "w"\n'
    path.write_text(text.replace("a*", "*.mov"), "utf-8")
    desk = Decisions(report(), path, None)
    with pytest.raises(InvalidParameterError, match="covers 3 findings"):
        desk.decide({"index": 0, "kind": "open"})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ReviewServer]:
    media = tmp_path / "a.mp4"
    media.write_bytes(bytes(range(256)) * 4)
    one = Reviewed(Decisions(report(), tmp_path / "waivers.toml", None), playing=media)
    made = ReviewServer([one])
    thread = threading.Thread(target=made.serve)
    thread.start()
    yield made
    made.close()
    thread.join()


def ask(
    server: ReviewServer, method: str, place: str, body: str | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, place, body, sent)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), data


def test_the_page_the_media_and_a_decision(server: ReviewServer, tmp_path: Path) -> None:
    root = "/" + server.address.split("/", 3)[3]
    token = root.strip("/")
    status, headers, page = ask(server, "GET", root)
    assert status == 200
    assert b"connect-src 'self'" in page
    assert headers["X-Content-Type-Options"] == "nosniff"
    whole = bytes(range(256)) * 4
    status, headers, data = ask(server, "GET", root + "media", Range="bytes=10-19")
    assert (status, data) == (206, whole[10:20])
    assert headers["Content-Range"] == "bytes 10-19/1024"
    assert ask(server, "GET", root + "media", Range="bytes=-4")[2] == whole[-4:]
    assert ask(server, "GET", root + "media", Range="bytes=9-3")[0] == 200
    body = json.dumps(accepted(0))
    status, _, data = ask(server, "POST", root + "decision", body, X_Defectscope_Token=token)
    assert status == 200
    assert json.loads(data)["verdict"] == "fail"
    assert len(load_waivers(tmp_path / "waivers.toml").entries) == 1
    status, _, data = ask(server, "POST", root + "decision", "[1]", X_Defectscope_Token=token)
    assert (status, json.loads(data)["error"]["code"]) == (400, "malformed_request")


def test_several_reports_have_a_page_of_links(tmp_path: Path) -> None:
    all_of_them = [Reviewed(Decisions(report(), tmp_path / "waivers.toml", None)) for _ in range(2)]
    made = ReviewServer(all_of_them, index=lambda: '<a href="./1">')
    thread = threading.Thread(target=made.serve)
    thread.start()
    try:
        root = "/" + made.address.split("/", 3)[3]
        assert ask(made, "GET", root)[2] == b'<a href="./1">'
        status, headers, _ = ask(made, "GET", root + "1")
        assert (status, headers["Location"]) == (301, root + "1/")
        assert ask(made, "GET", root + "1/")[0] == 200
        assert ask(made, "GET", root + "2/")[0] == 404
        assert ask(made, "GET", root + "1/media")[0] == 404
        sent = {"X_Defectscope_Token": root.strip("/")}
        body = json.dumps(accepted(0))
        assert ask(made, "POST", root + "decision", body, **sent)[0] == 404
        assert ask(made, "POST", root + "0/decision", body, **sent)[0] == 200
    finally:
        made.close()
        thread.join()


def test_nobody_else_reaches_it(server: ReviewServer, tmp_path: Path) -> None:
    root = "/" + server.address.split("/", 3)[3]
    token, body = root.strip("/"), json.dumps(accepted(0))
    for place in ("/", "/wrong/", root + "../waivers.toml", root + "waivers.toml", "//"):
        assert ask(server, "GET", place)[0] == 404
    # A name that leads here from elsewhere is not ours (DNS rebinding).
    assert ask(server, "GET", root, Host=f"evil.example:{server.port}")[0] == 404
    assert ask(server, "POST", root + "decision", body)[0] == 400
    assert ask(server, "POST", root + "decision", body, X_Defectscope_Token="x")[0] == 400
    assert ask(server, "POST", "/decision", body, X_Defectscope_Token=token)[0] == 404
    big = "x" * 70_000
    assert ask(server, "POST", root + "decision", big, X_Defectscope_Token=token)[0] == 413
    assert not (tmp_path / "waivers.toml").exists()
