"""What nothing uses is not loaded, and what is used after all works."""

from __future__ import annotations

import subprocess
import sys

_SCRIPT = """
import sys
from defectscope.cli.lazy_imports import leave_for_first_use
leave_for_first_use()
leave_for_first_use()
from scipy import ndimage
for inside in ("numpy.f2py.crackfortran", "numpy.testing._private.utils", "scipy.special._ufuncs"):
    assert inside not in sys.modules, inside
import numpy as np
assert ndimage.rotate(np.ones((4, 4)), 90).shape == (4, 4)
import numpy.testing
import scipy.special
assert scipy.special.gamma(5) == 24
numpy.testing.assert_array_equal([1], [1])
print("fine")
"""


def test_unused_modules_wait_for_their_first_use() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.stdout.strip() == "fine", done.stderr
