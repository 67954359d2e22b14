"""`python -m defectscope.cli`."""

from __future__ import annotations

import sys

from defectscope.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
