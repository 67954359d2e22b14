"""`python -m defectscope.cli`."""

from __future__ import annotations

from defectscope.cli.main import console

if __name__ == "__main__":
    console()
