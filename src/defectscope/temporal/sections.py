"""The recursion of second-order sections as SciPy compiles it, without `scipy.signal` around it.

To import all of `scipy.signal` takes half a second, and the file that holds this one function takes
two milliseconds. It is no public name: where it is not found, or does not answer as it should, the
public function of the same package does the work, with the same numbers.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
_MODULE = "_sosfilt"


def run_sections(sections: Doubles, signals: Doubles, state: Doubles) -> None:
    """Filters signals in place and leads their state on.

    Args:
        sections: (n, 6) coefficients b0, b1, b2, 1, a1, a2 of each.
        signals: (signals, samples), contiguous.
        state: (signals, n, 2), contiguous: zeros before the first call.
    """
    _recursion()(sections, signals, state)


@lru_cache(maxsize=1)
def _recursion() -> Callable[[Doubles, Doubles, Doubles], Any]:
    try:
        compiled = _compiled(Path(scipy.__file__).parent / "signal")
        return compiled if _answers(compiled) else public_recursion
    except Exception:  # Whatever another version of it does, the public one is right.
        return public_recursion


def _compiled(folder: Path) -> Callable[[Doubles, Doubles, Doubles], Any]:
    names = [folder / f"{_MODULE}{suffix}" for suffix in EXTENSION_SUFFIXES]
    file = next((name for name in names if name.is_file()), None)
    if file is None:
        raise ImportError(_MODULE)
    spec = importlib.util.spec_from_file_location(_MODULE, file)
    if spec is None or spec.loader is None:
        raise ImportError(str(file))
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module._sosfilt


def _answers(recursion: Callable[[Doubles, Doubles, Doubles], Any]) -> bool:
    """Tells whether it filters an impulse by a section as it should."""
    signal, state = np.array([[1.0, 0.0, 0.0]]), np.zeros((1, 1, 2))
    recursion(np.array([[2.0, 3.0, 5.0, 1.0, 0.5, 0.0]]), signal, state)
    return signal.tolist() == [[2.0, 2.0, 4.0]] and state.tolist() == [[[-2.0, 0.0]]]


def public_recursion(sections: Doubles, signals: Doubles, state: Doubles) -> None:
    """Does the same by `scipy.signal.sosfilt`."""
    from scipy import signal

    start = state.transpose(1, 0, 2)
    signals[:], reached = signal.sosfilt(sections, signals, axis=1, zi=start)
    state[:] = reached.transpose(1, 0, 2)
