import json
import os
import shutil
from pathlib import Path

import pytest
import soundfile
import torch

from defectscope.engine.artifacts import ENVIRONMENT, bundled
from defectscope.errors import InvalidParameterError, UnknownDetectorError
from defectscope.parameters import from_text
from defectscope.simulate.synthetic.soundscape import music_like
from defectscope.training import cli, precision
from defectscope.training.contract import LEARNED, recipe


def test_every_learned_detector_has_a_recipe() -> None:
    for name in LEARNED:
        assert recipe(name).name == name
    with pytest.raises(UnknownDetectorError):
        recipe("freeze")


def test_settings_are_parsed_by_type_and_unknown_ones_refused() -> None:
    settings = recipe("audio_artifacts").settings
    changed = from_text(settings, {"train_clips": "48", "left_out": "hum:buzz,hiss:pink"})
    assert changed.train_clips == 48
    assert changed.left_out == ("hum:buzz", "hiss:pink")
    with pytest.raises(InvalidParameterError, match="no_such"):
        from_text(settings, {"no_such": "1"})
    with pytest.raises(InvalidParameterError, match="train_clips"):
        from_text(settings, {"train_clips": "many"})


def test_errors_become_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work = ["--work", str(tmp_path / "work"), "--root", str(tmp_path)]
    assert cli.main(["prepare", "audio_artifacts", *work]) == 3
    assert "media_not_found" in capsys.readouterr().err
    assert cli.main(["train", "audio_artifacts", *work, "--set", "x"]) == 2
    assert cli.main(["evaluate", "audio_artifacts", str(tmp_path)]) == 2


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert all(verb in text for verb in ("prepare", "train", "evaluate", "export"))


def test_nothing_scored_so_far_is_said_so() -> None:
    score = vars(cli)["_score"]
    assert (score(float("nan")), score(float("-inf"))) == ("not yet", "not yet")
    assert score(0.98765) == "0.9877"


def _prepare(folder: Path, work: Path) -> list[str]:
    sizes = ["train_clips=1", "validation_clips=1", "test_clips=1", "pieces=0"]
    settings = [word for size in sizes for word in ("--set", size)]
    return ["audio_artifacts", "--folder", str(folder), "--work", str(work), *settings]


def _sounds(folder: Path, count: int, loudness: float = 1.0) -> Path:
    folder.mkdir()
    for number in range(count):
        sound = loudness * music_like(number, 4.0, 32000)
        soundfile.write(folder / f"{number}.wav", sound, 32000)
    return folder


def test_mistakes_in_preparing_are_named_and_leave_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few, work = _sounds(tmp_path / "few", 2), tmp_path / "work"
    (few / "text.mp4").write_text("no media")
    assert cli.main(["prepare", *_prepare(tmp_path / "none", work)]) == 3
    assert "no such folder" in capsys.readouterr().err
    assert cli.main(["prepare", *_prepare(few, work)]) == 2
    told = capsys.readouterr().err
    assert "text.mp4: not a media file" in told
    assert "too few usable recordings (2): none is left for " in told
    assert cli.main(["train", *_prepare(few, work)]) == 2
    assert "run prepare first" in capsys.readouterr().err
    assert not work.exists()


def test_ctrl_c_ends_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(vars(cli)["_VERBS"], "prepare", interrupted)
    assert cli.main(["prepare", *_prepare(tmp_path, tmp_path / "work")]) == 130
    assert "run the same command to go on" in capsys.readouterr().err


def test_bfloat16_is_used_only_where_the_device_computes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for itself in (True, False):
        monkeypatch.setattr(precision, "computes_bf16", lambda _, itself=itself: itself)
        for wanted in (True, False):
            with precision.autocast("cpu", wanted=wanted):
                assert torch.is_autocast_enabled("cpu") == (itself and wanted)


def test_silent_recordings_end_preparing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = _sounds(tmp_path / "silent", 3, loudness=0.0)
    assert cli.main(["prepare", *_prepare(silent, tmp_path / "work")]) == 2
    assert "nothing sounds in any recording" in capsys.readouterr().err


def test_any_detector_is_evaluated_with_the_artifacts_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    media = tmp_path / "media"
    media.mkdir()
    sound = music_like(1, 3.0, 32000).copy()
    sound[32000:48000] = 0
    soundfile.write(media / "hole.wav", sound, 32000)
    hole = {"defect": "audio_dropout", "start_s": 1.0, "end_s": 1.5}
    nothing = {"defect": "audio_dropout", "start_s": 2.0, "end_s": 2.5}
    truth = {"hole.wav": [hole], "intact.wav": [nothing], "unlabelled.wav": [], "lost.wav": []}
    (media / "truth.json").write_text(json.dumps(truth))
    soundfile.write(media / "intact.wav", music_like(1, 3.0, 32000), 32000)
    soundfile.write(media / "unlabelled.wav", sound, 32000)
    result = tmp_path / "result.json"
    words = ["evaluate", "audio_dropout", str(media), "--json", str(result)]
    assert cli.main(words) == 0
    told = capsys.readouterr().err
    assert "0.09 to 0.91" in told
    assert "left out: lost.wav" in told
    assert "missed: intact.wav, audio_dropout, 2.00 to 2.50 s" in told
    assert "false: unlabelled.wav, audio_dropout, 1.00 to 1.50 s" in told
    stored = json.loads(result.read_text())
    assert stored["defects"]["audio_dropout"]["found"] == 1
    assert stored["missed"] == [{"file": "intact.wav", **nothing}]
    assert [each["file"] for each in stored["false"]] == ["unlabelled.wav"]
    assert cli.main([*words, "--artifacts", str(tmp_path / "nowhere")]) == 4
    own = tmp_path / "own" / "audio_dropout"
    shutil.copytree(bundled("model_artifacts") / "audio_dropout", own)
    assert cli.main([*words, "--artifacts", str(own)]) == 0
    assert ENVIRONMENT not in os.environ
