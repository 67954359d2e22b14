"""What the documentation tells a reader to type works: commands parse, tutorials run."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import shlex
import shutil
from pathlib import Path

import pytest

from defectscope.cli.main import build_parser, main
from defectscope.training.cli import build_parser as build_training_parser

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    p
    for p in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]
    # Written from the parsers themselves.
    if p.name != "cli.md"
)
_ENDS = ("|", "&&", ";", ">", "&", "2>")
BLOCK = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """The command lines of defectscope in a page's blocks of shell, as words."""
    found: list[list[str]] = []
    for block in BLOCK.findall(page.read_text("utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            with contextlib.suppress(ValueError):
                words = shlex.split(line.removeprefix("$ "), comments=True)
                ends = [i for i, word in enumerate(words) if word in _ENDS]
                words = words[: ends[0]] if ends else words
                while words and re.fullmatch(r"\w+=\S*", words[0]):
                    words = words[1:]
                if words and Path(words[0]).name in ("defectscope", "defectscope-train"):
                    found.append(words)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_is_one(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in commands(page):
        # What a reader fills in.
        if any(re.search(r"[\[\]]|\.\.\.", word) for word in words[1:]):
            continue
        training = words[0].endswith("-train")
        parser = build_training_parser() if training else build_parser()
        status: object = 0
        try:
            parser.parse_args(words[1:])
        except SystemExit as left:
            status = left.code
        assert status == 0, f"{shlex.join(words)}\n{capsys.readouterr().err}"


def test_the_pages_have_commands() -> None:
    assert sum(len(commands(page)) for page in PAGES) > 30


def test_first_qc_runs_as_it_stands(
    beside_a_film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[int] = []
    for words in commands(DOCS / "first-qc.md"):
        # All detectors are the subject of other tests.
        quick = words[1] == "analyze" and "--detectors" not in words
        seen.append(main([*words[1:], *(["--detectors", "freeze,loudness"] if quick else [])]))
    shown = capsys.readouterr()
    # Out of range is a usage error; the profile's loudness is missed.
    assert seen == [0, 0, 0, 0, 0, 2, 0, 1]
    assert "min_duration_s is 0 to 3600 s, not -5" in shown.err
    for name in ("frozen.mp4", "frozen.mp4.truth.json", "report.json", "report.html"):
        assert (beside_a_film / name).stat().st_size > 100


@pytest.fixture
def beside_a_film(impaired_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which holds the film.mp4 that pages speak of."""
    shutil.copy(impaired_clip, tmp_path / "film.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_python(text: str, name: str) -> None:
    """Runs the Python of a page, one block after the other."""
    snippets = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert snippets
    names: dict[str, object] = {"__name__": "page"}
    for snippet in snippets:
        exec(compile(snippet, name, "exec"), names)


@pytest.mark.usefixtures("beside_a_film")
def test_the_readme_runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    run_python((ROOT / "README.md").read_text("utf-8"), "README.md")
    assert "black_frames 00:00:02:00" in capsys.readouterr().out


def test_every_link_of_the_readme_leads_somewhere() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", text):
        assert (ROOT / target).exists(), target


@pytest.mark.usefixtures("beside_a_film")
def test_the_python_page_runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    text = (DOCS / "python.md").read_text("utf-8")
    # All detectors at once are the subject of the README's test.
    run_python(text.replace('"film.mp4")', '"film.mp4", detectors=["freeze"])', 1), "python.md")
    shown = capsys.readouterr().out
    for promised in re.findall(r"prints `([^`]+)`", text):
        assert promised in shown
    assert shown.rstrip().endswith("fail")


def test_a_release_names_what_stands_against_it() -> None:
    spec = importlib.util.spec_from_file_location("release", ROOT / "scripts" / "release.py")
    assert spec is not None
    assert spec.loader is not None
    release = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(release)
    package, changelog = '__version__ = "1.2.3"\n', "## [1.2.3] - 2030-01-02\n"
    assert release.faults("1.2.3", package, changelog, "") == []
    assert len(release.faults("1.2", "", "", " M README.md")) == 4
    assert "no dated section" in release.faults("1.2.3", package, "## [1.2.3]\n", "")[0]
