from __future__ import annotations

import pytest

from defectscope.errors import InvalidParameterError
from defectscope.monitor.config import read_config
from defectscope.monitor.urls import masked, udp_address

GOOD = """\
[monitor]
window_s = 12.0

[alarms.black_frames]
enter_s = 1.5

[[channel]]
name = "news"
url = "udp://@239.1.2.3:5000"
detectors = ["black_frames"]

[[channel]]
name = "film"
url = "udp://127.0.0.1:5002"
step_s = 1.0
"""


def test_a_configuration_is_read() -> None:
    config = read_config(GOOD)
    assert list(config.channels) == ["news", "film"]
    news, film = config.channels.values()
    assert (news.pace.window_s, news.pace.step_s, film.pace.step_s) == (12.0, 0.5, 1.0)
    assert news.detectors == ("black_frames",)
    assert film.patience["black_frames"].enter_s == 1.5
    assert udp_address(news.url).is_multicast


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("window_s = 12.0", "window_s = 1", 2, "window_s lies between"),
        ("window_s = 12.0", "windows = 1", 2, "windows is not known"),
        ("enter_s = 1.5", 'enter_s = "1"', 5, "enter_s is a number"),
        ("[alarms.black_frames]", "[alarms.blackness]", 4, "no defect 'blackness'"),
        ('name = "film"', 'name = "news"', 13, "'news' is taken"),
        ('name = "film"', 'name = "a/b"', 13, "begins with a letter"),
        ('url = "udp://127.0.0.1:5002"', 'url = "udp://127.0.0.1"', 14, "no port"),
        ('url = "udp://127.0.0.1:5002"', 'url = "gopher://a/b"', 14, "is none of"),
        ('url = "udp://127.0.0.1:5002"', "", 12, "url is missing"),
        ('["black_frames"]', '["black"]', 10, "no detector 'black'"),
        ("step_s = 1.0", "step_s = ", 15, "Invalid value"),
        ("step_s = 1.0", "step_s = true", 15, "step_s is a number"),
    ],
)
def test_what_is_wrong_is_told_by_line_and_key(old: str, new: str, line: int, words: str) -> None:
    assert old in GOOD
    with pytest.raises(InvalidParameterError) as caught:
        read_config(GOOD.replace(old, new))
    assert f"channels.toml, line {line}:" in caught.value.message
    assert words in caught.value.message


@pytest.mark.parametrize("text", ["", "channel = 1", "[[channel]]", "channel = [1]", "x = 1"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameterError, match=r"channels\.toml, line \d+"):
        read_config(text)


@pytest.mark.parametrize(
    "url",
    [
        "rtmp://host/live/s3cr3t",
        "rtsp://user:s3cr3t@host/stream",
        "srt://host:9000?passphrase=s3cr3t&streamid=s3cr3t",
        "https://host/hls/s3cr3t/index.m3u8?token=s3cr3t",
        "udp://s3cr3t@host:1",
    ],
)
def test_secrets_are_not_shown(url: str) -> None:
    assert "s3cr3t" not in masked(url)
    assert "host" in masked(url)
