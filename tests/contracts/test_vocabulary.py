"""The code keeps to the words of docs/glossary.md: what was renamed does not come back."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("src/defectscope", "handlers", "scripts")
FILES = sorted(p for folder in FOLDERS for p in (ROOT / folder).rglob("*.py"))

# Parts of identifiers, and the words that stand for them.
BANNED = {
    "picture": "frame; pixels of a plane; still in a report",
    "judge": "analyze media, decide over measurements, evaluate a network",
    "twin": "hard negative",
    "alike": "hard negative, similar, equal",
    "passage": "run or interval",
    "stretch": "run, interval, span",
    "occurrence": "event",
    "glance": "first look",
    "clue": "context feature",
    "lane": "channel pipeline",
    "hear": "embed; audible",
    "heard": "embeddings; audible",
    "said": "predicted, scores, text",
    "worth": "weight",
    "usual": "baseline",
    "excuse": "confounder",
    "aside": "background worker",
    "beside": "neighbours",
    "stir": "a threshold named with its unit",
    "turns": "phase reversals, rotations",
}
# Names that are part of the wire format, of released artifacts or of a term of imaging.
KEPT = {
    "beside_s",  # parameter of three detectors
    "glances_per_s",  # parameter of block_corruption
    "to_clues",  # tensor of a released network
    "picture_head",  # tensor of a released network
    "pictures",  # tensor of a released model, in av_sync/canonical.py
    "PICTURE_COMPONENTS",
    "EXIT_NOT_JUDGED",  # the verdict is called so
    "stretch",  # contrast, and the shape of a mouth, are stretched
    "stretched",
    "like_stretch",
}
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_ANY = re.compile("|".join(BANNED), re.IGNORECASE)
_FORMS = {
    form: word
    for word in BANNED
    for form in (word, f"{word}s", f"{word}es", f"{word}d", f"{word}ed")
}


def banned_in(name: str) -> str | None:
    """Returns the banned word that an identifier contains, if it does."""
    if name in KEPT or name.startswith("test_"):
        return None
    for part in _PART.findall(name):
        if part.lower() in _FORMS:
            return _FORMS[part.lower()]
    return None


def test_the_word_list_bites() -> None:
    assert banned_in("_next_judged") == "judge"
    assert banned_in("YuvPicture") == "picture"
    assert banned_in("TWINS") == "twin"
    assert banned_in("planes") is None
    assert banned_in("beside_s") is None


@pytest.mark.parametrize("folder", FOLDERS)
def test_identifiers_are_words_of_the_glossary(folder: str) -> None:
    wrong: list[str] = []
    for path in (p for p in FILES if p.is_relative_to(ROOT / folder)):
        text = path.read_text("utf-8")
        names = {path.stem: 1}
        if not _ANY.search(path.stem + text):
            continue
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME:
                names.setdefault(token.string, token.start[0])
        wrong += [
            f"{path.relative_to(ROOT)}:{line}: {name}; say {BANNED[word]}"
            for name, line in names.items()
            if (word := banned_in(name))
        ]
    assert not wrong, "\n".join(wrong)


def test_docstrings_say_what_is_returned() -> None:
    """Standard verbs: "Returns", not "Gives"; media is analyzed, not judged."""
    wrong: list[str] = []
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                continue
            text = ast.get_docstring(node) or ""
            if text.startswith(("Gives", "Judges", "Hears")) or re.search(r"\bjudged\b(?!`)", text):
                wrong.append(f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}")
    assert not wrong, "\n".join(wrong)
