"""https:// addresses: only of hosts that were allowed, and no secret of one is ever shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from defectscope import analyze
from defectscope.cli.main import main
from defectscope.desk.inputs import expand, shown
from defectscope.errors import (
    MediaError,
    MediaRefusedError,
    MediaUnavailableError,
    ObjectTooLargeError,
)
from defectscope.media import https
from defectscope.media.ranged import RangedFile

HOST = "cdn.example.com"
ADDRESS = f"https://{HOST}/films/a.mp4?X-Signature=secret#secret"


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, impaired_clip: Path) -> dict[str, Any]:
    """A host that has one film; `fails_at` is the byte from which on it does not answer."""
    data = impaired_clip.read_bytes()
    state: dict[str, Any] = {"asked": [], "fails_at": len(data)}

    def opened(host: str, target: str, **_: Any) -> RangedFile:
        state["asked"].append((host, target))

        def fetch(first: int, last: int) -> bytes:
            if last > state["fails_at"]:
                raise MediaUnavailableError(f"https://{host}: cannot be reached")
            return data[first:last]

        return RangedFile(fetch, len(data), name="a.mp4")

    monkeypatch.setattr(https, "open_resource", opened)
    return state


def test_an_allowed_host_is_read_and_its_secrets_stay_out(
    host: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    report = analyze(ADDRESS, detectors="freeze", allowed_hosts=["CDN.example.com"], workers=2)
    assert [finding.defect for finding in report.findings] == ["freeze"]
    assert report.asset["uri"] == f"https://{HOST}/films/a.mp4"
    assert "secret" not in report.to_json() + caplog.text
    assert f"https://{HOST}/films/a.mp4: an address is read by one process" in caplog.text
    assert host["asked"] == [(HOST, "/films/a.mp4?X-Signature=secret")]


def test_the_command_writes_no_secret(
    host: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = f"{tmp_path}/out/"
    asked = ["analyze", ADDRESS, "--detectors", "freeze", "--json", folder, "--html", folder]
    assert main([*asked, "--allow-host", HOST]) == 0
    assert sorted(path.name for path in Path(folder).iterdir()) == ["a.mp4.html", "a.mp4.json"]
    written = "".join(path.read_text() for path in Path(folder).iterdir())
    assert "secret" not in written + "".join(capsys.readouterr())
    assert main(asked) == 3
    said = capsys.readouterr().err
    assert "--allow-host" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    "address",
    [
        f"https://user:secret@{HOST}/a.mp4", f"https://secret@{HOST}/a.mp4",
        f"https://{HOST}:8443/a.mp4", f"https://{HOST}@evil.example/a.mp4",
        f"https://evil.example/{HOST}/a.mp4", f"https://{HOST}.evil.example/a.mp4",
        f"https://{HOST}\\@evil.example/a.mp4", "https:///a.mp4", "https://[/a.mp4",
        f"http://{HOST}/a.mp4", f"ftp://{HOST}/a.mp4", "file:///etc/passwd",
        f"HTTPS://{HOST}/a b.mp4", f"https://{HOST}/a\n.mp4", "https://127.0.0.1/a.mp4",
    ],
)  # fmt: skip
def test_everything_else_is_refused_before_anything_is_asked(
    host: dict[str, Any], address: str
) -> None:
    with pytest.raises(MediaRefusedError) as caught:
        analyze(address, detectors="freeze", allowed_hosts=[HOST])
    assert "secret" not in caught.value.message
    assert host["asked"] == []


def test_allowing_a_private_host_by_name_does_not_let_it_in() -> None:
    for name in ("localhost", "127.0.0.1"):
        with pytest.raises(MediaError, match="not a public address"):
            analyze(f"https://{name}/a.mp4", detectors="freeze", allowed_hosts=[name])


def test_half_an_asset_is_never_taken_for_the_whole(
    host: dict[str, Any], impaired_clip: Path
) -> None:
    host["fails_at"] = impaired_clip.stat().st_size * 2 // 3
    with pytest.raises(MediaUnavailableError, match="cannot be reached"):
        analyze(ADDRESS, detectors="freeze", allowed_hosts=[HOST])


def test_a_resource_beyond_the_limit_is_not_begun_with(host: dict[str, Any]) -> None:
    with pytest.raises(ObjectTooLargeError, match="the limit is 1000"):
        https.open_address(ADDRESS, [HOST], max_bytes=1000)


def test_names_of_addresses_hold_no_query() -> None:
    assert expand([ADDRESS])[0].name == "a.mp4"
    pair = [f"https://{HOST}/{k}/a.mp4?s=secret" for k in "xy"]
    assert [item.name for item in expand(pair)] == ["x/a.mp4", "y/a.mp4"]
    assert shown("https://u:secret@h/p?secret#secret") == "https://h/p"
    assert shown("s3://bucket/a?b#c") == "s3://bucket/a?b#c"
