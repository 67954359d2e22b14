from __future__ import annotations

import pytest

from defectscope.local.json_path import FilterError, compile_path

RECORD = {"id": 7, "a": {"b": [10, 20, 30]}, "odd name": True}


@pytest.mark.parametrize(
    ("path", "selected"),
    [
        ("$", RECORD),
        ("$.id", 7),
        ("$['odd name']", True),
        ("$.a.b[0]", 10),
        ("$.a.b[-1]", 30),
        ("$.a.b[1:]", [20, 30]),
        ("$.a.b[:2]", [10, 20]),
        ("$.a.b[0,2]", [10, 30]),
        ("$.a.b[0,1:]", [10, 20, 30]),
        ("$.a['b'][1]", 20),
        ("$.a.['b']", [10, 20, 30]),
        ("$['id','odd name']", {"id": 7, "odd name": True}),
        ("$.a.*", [[10, 20, 30]]),
        ("$.a.b[*]", [10, 20, 30]),
    ],
)
def test_selects(path, selected):
    assert compile_path(path)(RECORD) == selected


@pytest.mark.parametrize("path", ["", "id", "$..id", "$.a[", "$[]", "$[0,]", "$[?(@.x)]", "$.a b"])
def test_refuses_what_is_not_supported(path):
    with pytest.raises(FilterError):
        compile_path(path)


@pytest.mark.parametrize("path", ["$.none", "$.a.b[3]", "$.id[0]", "$.id.*", "$.a[0]", "$.id[1:]"])
def test_says_when_a_value_does_not_fit(path):
    with pytest.raises(FilterError):
        compile_path(path)(RECORD)
