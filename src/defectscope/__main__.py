"""`python -m defectscope`, the command line where `defectscope` is not on the path."""

from __future__ import annotations

from defectscope.cli.main import console

if __name__ == "__main__":
    console()
