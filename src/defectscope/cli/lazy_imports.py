"""Modules that others import at every start and that nothing here uses, loaded at their first use.

`scipy.ndimage` takes all of NumPy into a namespace of its own, its Fortran wrapper and its test
helpers included, and the special functions for a rotation: two thirds of its 0.38 s.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

_NAMES = frozenset({"numpy.f2py", "numpy.testing", "scipy.special"})


class _AtFirstUse:
    """Finds those modules, and leaves their code for the first look into them."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Returns the module's own specification with a loader that waits; None for any other."""
        if name not in _NAMES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


def leave_for_first_use() -> None:
    """Makes this process load them when they are used; what is loaded already stays."""
    if _AtFirstUse not in sys.meta_path:
        sys.meta_path.insert(0, _AtFirstUse)
