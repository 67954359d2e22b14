import json
from pathlib import Path

import pytest

from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.training.evaluate import Tally, count, read_truths, tables


def test_matching_is_one_to_one() -> None:
    tally = Tally()
    expected = [Interval(0, 10), Interval(20, 30)]
    predicted = [Interval(0, 9), Interval(1, 10), Interval(28, 60), Interval(90, 91)]
    count(tally, expected, predicted)
    assert (tally.events, tally.findings, tally.found, tally.touched, tally.false) == (
        2,
        4,
        1,
        2,
        1,
    )


def test_both_forms_of_truth_are_read(tmp_path: Path) -> None:
    one = [{"defect": "audio_hum", "start_s": 1, "end_s": 2}]
    (tmp_path / "truth.json").write_text(json.dumps({"a.wav": one, "clean.wav": []}))
    (tmp_path / "b.wav.truth.json").write_text(json.dumps({"defects": one}))
    assert read_truths(tmp_path) == {"a.wav": one, "clean.wav": [], "b.wav": one}


@pytest.mark.parametrize("text", ["{", '{"a.wav": 3}', '{"a.wav": [{"defect": "x"}]}'])
def test_damaged_truth_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "truth.json").write_text(text)
    with pytest.raises(InvalidParameterError, match="truth"):
        read_truths(tmp_path)


def test_no_truth_at_all(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match="holds no"):
        read_truths(tmp_path)


def test_tables_show_what_was_counted() -> None:
    entry = {
        "events": 3,
        "touched": 3,
        "found": 2,
        "recall": 0.667,
        "precision": None,
        "f1": 0.5,
        "false_alarms": 1,
        "false_per_10_min": 0.4,
    }
    result = {"detector": "d", "files": 2, "minutes": 3.0, "defects": {"audio_hum": entry}}
    (table,) = tables(result)
    assert table.row_count == 1
    assert [list(column.cells) for column in table.columns[1:4]] == [["3"], ["3"], ["2"]]
