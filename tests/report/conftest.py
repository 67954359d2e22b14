from __future__ import annotations

import sys
from pathlib import Path

# Test folders are no packages; the made-up reports are shared by this folder's tests alone.
sys.path.insert(0, str(Path(__file__).parent))
