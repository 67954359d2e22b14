from pathlib import Path

import pytest

from defectscope.errors import InvalidParameterError, UnknownDetectorError
from defectscope.parameters import from_text
from defectscope.training import cli
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
