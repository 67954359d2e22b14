"""docs/training.md, walked as it stands: from a folder of recordings to a report of one's own."""

from __future__ import annotations

import json
import re
import shlex
from fractions import Fraction
from pathlib import Path

import pytest
import soundfile

from defectscope.cli.main import main
from defectscope.media.writer import VideoEncoding, write_clip
from defectscope.simulate.synthetic.material import Footage
from defectscope.simulate.synthetic.soundscape import music_like, speech_like
from defectscope.training import cli

pytestmark = pytest.mark.long

PAGE = Path(__file__).resolve().parents[2] / "docs" / "training.md"
# A handful of recordings, clips and steps: the sizes that the page means take hours.
_SIZE = ["--set", "train_clips=24", "--set", "validation_clips=24", "--set", "test_clips=24"]
_SIZE += ["--set", "pieces=1"]
_LENGTH = ["--schedule", "steps=2", "--schedule", "batch=10", "--schedule", "score_every=1"]


# The same for block corruption, by verb.
_BLOCKS = {
    "prepare": ["--set", "clips_per_s=1", "--set", "most_clips=2", "--set", "frames=12"],
    "heads": ["--clips", "36"],
    "tune": ["--clips", "2"],
}
_BLOCKS["train"] = [
    *_BLOCKS["prepare"],
    *["--schedule", "steps=2", "--schedule", "batch=4", "--schedule", "score_every=1"],
]
_BLOCKS["export"] = _BLOCKS["prepare"]


def _commands(heading: str) -> list[list[str]]:
    """Returns the commands of the first block of shell below a heading."""
    section = PAGE.read_text("utf-8").partition(f"## {heading}\n")[2]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block is not None
    text = re.sub(r"\\\n\s*", "", block.group(1))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [shlex.split(line) for line in lines]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_page_leads_to_a_report_with_ones_own_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "masters").mkdir()
    # So few that the splits by recording leave some of them empty or nearly so.
    for number in range(7):
        sound = (music_like if number % 2 else speech_like)(number, 8.0, 32000)
        soundfile.write(tmp_path / "masters" / f"{number}.wav", sound, 32000)
    soundfile.write(tmp_path / "programme.mp4.wav", music_like(50, 4.0, 48000), 48000)
    walked = 0
    for program, *words in _commands("From your content to your detector"):
        if program == "defectscope-train":
            extra = _SIZE + (_LENGTH if words[0] == "train" else [])
            assert cli.main([*words, *extra]) == 0, words
        else:
            assert program == "defectscope"
            words = ["programme.mp4.wav" if w == "programme.mp4" else w for w in words]
            assert main([*words, "--json", "report.json"]) == 0
        walked += 1
    out, err = capsys.readouterr()
    assert walked == 4
    assert "nan" not in (out + err).split()
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    entry = report["detectors"]["audio_artifacts"]
    own = tmp_path / "mine" / "audio_artifacts"
    assert len(entry["artifact_sha256"]) == 64
    document = json.loads((own / "detector.json").read_text("utf-8"))
    assert (own / document["weights"]["file"]).is_file()
    assert (own / "CARD.md").is_file()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_page_leads_to_ones_own_detector_of_block_corruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "masters").mkdir()
    for number in range(7):
        _film(tmp_path / "masters" / f"{number}.mp4", number, 40)
    _film(tmp_path / "programme.mp4", 50, 50)
    own = tmp_path / "mine" / "block_corruption"
    written: list[tuple[str, str]] = []
    for program, *words in _commands("Block corruption"):
        if program == "defectscope-train":
            assert cli.main([*words, *_BLOCKS[words[0]]]) == 0, words
            if (own / "detector.json").is_file():
                written.append((words[0], (own / "detector.json").read_text("utf-8")))
        else:
            assert main([*words, "--json", "report.json"]) == 0
    assert [verb for verb, _ in written] == ["export", "heads", "tune"]
    exported, with_heads, tuned = (json.loads(text) for _, text in written)
    assert with_heads["heads"] != exported["heads"]
    assert with_heads["weights"] == exported["weights"]
    assert tuned["heads"] == with_heads["heads"]
    assert tuned["calibration"] != exported["calibration"]
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["detectors"]["block_corruption"]["artifact_sha256"]
    assert "block_corruption" in report["detectors"]


def _film(path: Path, seed: int, frames: int) -> None:
    rate = Fraction(25)
    footage = Footage(seed=seed, width=512, height=288, rate=rate, frames=frames, cuts_s=())
    write_clip(path, frames=footage, video=VideoEncoding(512, 288, rate, crf=20.0))
