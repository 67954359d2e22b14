"""Broken caption files through the command line: a finding with its line, or one clear error."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from defectscope.cli.main import main

_BROKEN = {
    "latin.srt": (b"1\n00:00:01,000 --> 00:00:02,000\ncaf\xe9\n", "the text is not UTF-8", 3),
    "negative.srt": (
        b"1\n-00:00:01,000 --> 00:00:02,000\nearly\n\n2\n00:00:03,000 --> 00:00:04,000\nfine\n",
        "this is not a time",
        2,
    ),
    "unordered.vtt": (
        b"WEBVTT\n\n00:05.000 --> 00:06.000\nlater\n\n00:01.000 --> 00:02.000\nsooner\n",
        "it stands after a later cue",
        6,
    ),
    "backwards.srt": (
        b"1\n00:00:03,000 --> 00:00:02,000\nbackwards\n",
        "it ends before it begins",
        2,
    ),
    "imsc.ttml": (
        b'<tt xmlns="http://www.w3.org/ns/ttml"><body><div>\n<p begin="1s" end="2s">fine</p>\n'
        b'<p begin="3s" end="soon">never</p></div></body></tt>',
        "this is not a time",
        3,
    ),
}


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "sound.wav"
    noise = np.random.default_rng(1).standard_normal((8 * 8000, 1)) * 0.01
    soundfile.write(path, noise, 8000)
    return path


@pytest.mark.parametrize("name", _BROKEN)
def test_a_broken_cue_is_a_finding_with_its_line(name: str, sound: Path, tmp_path: Path) -> None:
    data, problem, line = _BROKEN[name]
    captions, out = tmp_path / name, tmp_path / "report.json"
    captions.write_bytes(data)
    asked = ["--captions", str(captions), "--detectors", "caption_quality", "--json", str(out)]
    assert main(["analyze", str(sound), *asked]) == 0
    found = json.loads(out.read_text("utf-8"))["findings"]
    formats = [f["evidence"] for f in found if f["defect"] == "caption_format"]
    assert {"problem": problem, "source_line": line} in formats


@pytest.mark.parametrize("data", [b"", bytes(range(256)) * 8, b"no captions\n"])
def test_what_is_no_captions_is_one_line_and_exit_code_3(
    data: bytes, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    captions = tmp_path / "odd.srt"
    captions.write_bytes(data)
    code = main(["analyze", str(sound), "--captions", str(captions)])
    lines = capsys.readouterr().err.strip().splitlines()
    assert code == 3
    assert [line for line in lines if "error[unreadable_captions]" in line] == lines[-1:]
