"""The handler of spatial audio, called as TorchServe does."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from defectscope.deploy.archives import build_archives, handler_names
from defectscope.serving.sample import sample_avi
from defectscope.serving.smoke import BareContext, predict

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "handlers" / "spatial_audio"


@pytest.fixture(scope="module")
def handler() -> Any:
    spec = importlib.util.spec_from_file_location("spatial_handler", FOLDER / "handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made = module.SpatialAudioHandler()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEFECTSCOPE_METRICS", "off")
        made.initialize(BareContext("spatial_audio", {}))
    return made


def ask(
    handler: Any, body: bytes, settings: dict[str, Any] | None = None, kind: str = "audio/wav"
) -> tuple[int, Any]:
    headers = {"Content-Type": kind}
    if settings is not None:
        options = {"parameters": {"spatial_audio": settings}, "id": "one"}
        headers["X-Amzn-SageMaker-Custom-Attributes"] = json.dumps(options)
    context = BareContext("spatial_audio", headers)
    (text,) = handler.handle([{"body": bytearray(body)}], context)
    return context.status, json.loads(text)


def wav(channels: int = 2, rate: int = 48_000, fault: float | None = None) -> bytes:
    samples = np.random.default_rng(1).normal(0, 0.1, (rate // 5, channels))
    if fault is not None:
        samples[9, 0] = fault
    file = io.BytesIO()
    soundfile.write(file, samples, rate, "FLOAT", format="WAV")
    return file.getvalue()


def test_a_file_per_driver(handler: Any) -> None:
    status, answer = ask(handler, wav(), {"device": "bar_of_five", "format": "wav"})
    assert status == 200
    assert answer["id"] == "one"
    assert len(answer["audio"]) == len(answer["rendering"]["names"]) == 5
    for entry in answer["audio"]:
        data, rate = soundfile.read(io.BytesIO(base64.b64decode(entry["data_base64"])))
        assert (rate, data.shape) == (48_000, (9_600,))


@pytest.mark.parametrize(("channels", "rate"), [(1, 48_000), (2, 192_000), (6, 44_100)])
def test_layouts_and_rates(handler: Any, channels: int, rate: int) -> None:
    status, answer = ask(handler, wav(channels, rate), {"together": True})
    assert status == 200
    (entry,) = answer["audio"]
    data, found = soundfile.read(io.BytesIO(base64.b64decode(entry["data_base64"])))
    assert (found, data.shape[1]) == (rate, 2)


def test_own_device(handler: Any) -> None:
    drivers = [{"name": "a", "x_m": -0.1}, {"name": "b", "x_m": 0.1}]
    status, answer = ask(handler, wav(), {"device": {"drivers": drivers}})
    assert status == 200
    assert answer["rendering"]["names"] == ["a", "b"]


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"device": "/etc/passwd"}, "invalid_parameter"),
        ({"device": {"drivers": []}}, "invalid_parameter"),
        ({"head": "/etc/passwd"}, "invalid_parameter"),
        ({"target_db": 900}, "invalid_parameter"),
        ({"format": "mp3"}, "invalid_parameter"),
        ({"together": 1}, "invalid_parameter"),
        ({"loud": True}, "invalid_parameter"),
    ],
)
def test_bad_settings(handler: Any, settings: dict[str, Any], code: str) -> None:
    status, answer = ask(handler, wav(), settings)
    assert (status, answer["error"]["code"]) == (400, code)


def test_bad_media(handler: Any) -> None:
    for body in (b"nothing", wav(fault=float("nan")), wav(fault=float("inf"))):
        status, answer = ask(handler, body, {})
        assert (status, answer["error"]["code"]) == (422, "unreadable_media")


def test_lines_answer_each(handler: Any) -> None:
    lines = b'{"uri": "file:///etc/passwd", "id": "a"}\n{"merge": [{}], "id": "b"}\n'
    context = BareContext("spatial_audio", {"Content-Type": "application/jsonlines"})
    (text,) = handler.handle([{"body": bytearray(lines)}], context)
    answers = [json.loads(line) for line in text.splitlines()]
    assert [a["id"] for a in answers] == ["a", "b"]
    assert all("error" in a for a in answers)


def test_the_readme_shows_the_answer(handler: Any) -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    (shown,) = re.findall(r"```json response\n(.*?)```", text, re.DOTALL)
    (options,) = re.findall(r"Custom-Attributes: (\{.*\})'", text)
    given = json.loads(options)["parameters"]["spatial_audio"]
    status, answer = ask(handler, sample_avi(), given, "video/x-msvideo")
    assert status == 200
    del answer["id"]
    for entry in answer["audio"]:
        assert entry.pop("data_base64")
    assert answer == json.loads(shown)


def test_the_trial_of_an_archive(handler: Any) -> None:
    answer = predict(handler, "spatial_audio", sample_avi())
    assert answer["rendering"]["names"] == ["left", "right"]


@pytest.mark.slow
def test_the_archive_renders(tmp_path: Path) -> None:
    assert "spatial_audio" in handler_names()
    (archive,) = build_archives(tmp_path, ["spatial_audio"])
    assert (
        archive.version
        == json.loads((ROOT / "model_artifacts" / "spatial_audio" / "renderer.json").read_text())[
            "version"
        ]
    )
