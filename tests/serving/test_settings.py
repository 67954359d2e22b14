from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from defectscope.errors import ServingError
from defectscope.serving.settings import PREFIX, ServingSettings

DOCS = Path(__file__).parents[2] / "docs" / "serving.md"


def test_defaults_stand_where_nothing_is_set():
    assert ServingSettings.from_environment({}) == ServingSettings()
    assert ServingSettings.from_environment({"DEFECTSCOPE_MAX_PIXELS": " "}) == ServingSettings()


def test_every_kind_of_setting_is_read():
    settings = ServingSettings.from_environment(
        {
            "DEFECTSCOPE_ALLOWED_BUCKETS": "films, shared/incoming/ ,",
            "DEFECTSCOPE_ALLOWED_HOSTS": "cdn.example.com",
            "DEFECTSCOPE_MAX_PIXELS": "1000",
            "DEFECTSCOPE_MAX_DURATION_S": "12.5",
            "DEFECTSCOPE_METRICS": "off",
            "UNRELATED": "x",
        }
    )
    assert settings.allowed_buckets == ("films", "shared/incoming/")
    assert settings.allowed_hosts == ("cdn.example.com",)
    assert settings.limits().max_pixels == 1000
    assert settings.limits().max_duration_s == 12.5
    assert settings.metrics == "off"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_PIXELS", "many"),
        ("MAX_PIXELS", "1.5"),
        ("MAX_PIXELS", "0"),
        ("MAX_STREAMS", "-1"),
        ("TIME_LIMIT_S", "nan"),
        ("TIME_LIMIT_S", "inf"),
        ("ALLOWED_BUCKETS", "s3://films"),
        ("ALLOWED_BUCKETS", "A_B"),
        ("ALLOWED_HOSTS", "https://cdn.example.com"),
        ("ALLOWED_HOSTS", "CDN.example.com"),
    ],
)
def test_a_value_that_makes_no_sense_names_its_variable(name, value):
    with pytest.raises(ServingError, match=f"{PREFIX}{name}") as caught:
        ServingSettings.from_environment({PREFIX + name: value})
    assert caught.value.code == "bad_setting"


def test_the_documentation_lists_every_setting_with_its_default():
    rows = {
        cells[1].strip().strip("`"): cells[2].strip()
        for line in DOCS.read_text("utf-8").splitlines()
        if line.startswith(f"| `{PREFIX}") and (cells := line.split("|"))
    }
    expected = {}
    for field in fields(ServingSettings):
        default = field.default
        shown = (
            f"{default:,g}"
            if isinstance(default, float)
            else f"{default:,}"
            if isinstance(default, int)
            else (default or "empty")
        )
        expected[PREFIX + field.name.upper()] = str(shown)
    assert rows == expected
