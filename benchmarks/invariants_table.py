"""Checks every invariant on every detector's positive clip and writes the table to the docs.

    python benchmarks/invariants_table.py

The tests in tests/engine/test_invariants.py check the same; this shows over how much.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from defectscope.detectors import names
from defectscope.simulate.invariants import INVARIANTS, Subject, row_count
from defectscope.simulate.positive_clips import positive_clip, recipe_of

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "invariants.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def main() -> int:
    """Writes the table; exits 1 where an invariant does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detectors", default=",".join(names()), help="comma-separated names")
    arguments = parser.parse_args()
    failed = 0
    head = ["detector", "made by", "rows", "findings", *INVARIANTS]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.detectors.split(","):
            clip = positive_clip(name, Path(folder))
            subject = Subject(name, clip.media, clip.captions)
            cells = [name, recipe_of(name).defect]
            cells += [str(row_count(subject.whole)), str(len(subject.findings))]
            for invariant, check in INVARIANTS.items():
                outcome = check(subject)
                failed += not outcome.held
                how = "held" if outcome.held else "BROKEN"
                cells.append(f"{how} ({outcome.rows}, {outcome.findings})")
                for line in outcome.broken:
                    print(f"{name}: {invariant}: {line}", file=sys.stderr)
            lines.append("| " + " | ".join(cells) + " |")
            print(lines[-1], flush=True)
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    commit = _commit()
    source = f"Command: `python benchmarks/invariants_table.py`, commit {commit}.\n"
    table = "\n".join([BEGIN, "", source, *lines, "", END])
    PAGE.write_text(before + table + after, "utf-8")
    return 1 if failed else 0


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
