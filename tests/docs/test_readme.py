"""The README's Python runs as it stands there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_snippet_runs(
    impaired_clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(impaired_clip, tmp_path / "film.mp4")
    monkeypatch.chdir(tmp_path)
    snippets = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert snippets
    for snippet in snippets:
        exec(compile(snippet, "README.md", "exec"), {"__name__": "readme"})
    assert "black_frames 00:00:02:00" in capsys.readouterr().out


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", README.read_text("utf-8")):
        assert (README.parent / target).exists(), target
