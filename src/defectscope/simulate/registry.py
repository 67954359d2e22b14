"""Finds simulators by name: whatever a module of this package publishes as `SIMULATORS`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType
from typing import Any

import defectscope.simulate.defects
from defectscope.errors import UnknownDetectorError
from defectscope.near_words import meant
from defectscope.simulate.contract import Simulator


@cache
def simulators() -> Mapping[str, Simulator[Any]]:
    """Returns every simulator by name, in order of names."""
    found: dict[str, Simulator[Any]] = {}
    for info in iter_modules(defectscope.simulate.defects.__path__):
        module = import_module(f"defectscope.simulate.defects.{info.name}")
        for simulator in getattr(module, "SIMULATORS", ()):
            if simulator.name in found:
                raise RuntimeError(f"two simulators are called {simulator.name!r}")
            found[simulator.name] = simulator
    return MappingProxyType(dict(sorted(found.items())))


def simulator(name: str) -> Simulator[Any]:
    """Returns the simulator of that name.

    Raises:
        UnknownDetectorError: There is none.
    """
    known = simulators()
    if name not in known:
        raise UnknownDetectorError(
            f"no simulator is called {name!r}; there are: {', '.join(known)}{meant(name, known)}"
        )
    return known[name]
