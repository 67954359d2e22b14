from __future__ import annotations

import sys
from pathlib import Path

# Test folders are no packages; what this folder's tests share lies beside them.
sys.path.insert(0, str(Path(__file__).parent))
