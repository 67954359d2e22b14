"""Writes the answers that the handlers' READMEs show, from what the detectors say of the sample.

    python scripts/write_answers.py

The options of a README's curl line choose the detectors. Scores may differ in the last digits
between processors, so `make reference` does not compare them; tests/handlers/test_live.py asks a
served endpoint and compares whole answers, numbers within a tolerance.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from defectscope.analysis import analyze
from defectscope.serving.sample import sample_avi

HANDLERS = Path(__file__).resolve().parents[1] / "handlers"
# What a README leaves out: long, and described in docs/endpoint.md.
LEFT_OUT = ("curves", "detectors", "facts", "timing")
ANSWER = re.compile(r"(?<=```json response\n).*?(?=```)", re.DOTALL)
OPTIONS = re.compile(r"Custom-Attributes: (\{.*?\})'")
# It answers with sound and has a test of its own (tests/spatial/test_handler.py).
RENDERERS = ("spatial_audio",)


def answer_of(text: str) -> str:
    """Returns the answer to the request of a README's curl line, as the README shows it."""
    found = OPTIONS.search(text)
    report = json.loads(analyze(sample_avi(), **json.loads(found[1] if found else "{}")).to_json())
    shown = {key: value for key, value in report.items() if key not in LEFT_OUT}
    return (
        "{\n"
        + ",\n".join(f' "{key}": {_laid_out(value)}' for key, value in shown.items())
        + "\n}\n"
    )


def _laid_out(value: Any) -> str:
    """Returns JSON with each object of a list on a line of its own."""
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"  {json.dumps(each)}" for each in value) + "\n ]"
    return json.dumps(value)


def main() -> None:
    """Writes each README whose answer has changed, and names it."""
    for path in sorted(HANDLERS.glob("*/README.md")):
        text = path.read_text("utf-8")
        if path.parent.name in RENDERERS:
            continue
        answer = answer_of(text)
        written = ANSWER.sub(lambda _, answer=answer: answer, text)
        if written != text:
            path.write_text(written, "utf-8")
            sys.stdout.write(f"{path.relative_to(HANDLERS.parent)}\n")


if __name__ == "__main__":
    main()
