"""Progress of several files on a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from defectscope.cli.batch import progress_lines
from defectscope.desk.inputs import Item


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_each_file_at_work_has_a_line_beside_the_total(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    items = [Item(f"/in/{name}", name) for name in ("a.mov", "b.mov", "c.mov")]
    with progress_lines(items) as advance:
        assert advance is not None
        advance(items[0], 3661.0, 7200.0)
        advance(items[1], 12.0, 60.0)
        advance(items[0], -1.0, 0.0)
    text = terminal.getvalue()
    for words in ("3 files", "a.mov", "1:01:01", "b.mov", "0:00:12"):
        assert words in text
    # The last that is drawn has what is still at work, and not what is done.
    last = text[text.rindex("3 files") :]
    assert "b.mov" in last
    assert "a.mov" not in last


def test_a_pipe_gets_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress_lines([Item("/in/a.mov", "a.mov")]) as advance:
        assert advance is None
