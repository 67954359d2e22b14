"""defectscope finds audio-visual defects in video.

The base install is the client alone. `defectscope.Client` calls a deployed endpoint; with the
`engine` extra, `defectscope.analyze` analyzes media in this process. Both return a `Report`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from defectscope.errors import DefectscopeError
from defectscope.findings import Finding, Interval, Report

if TYPE_CHECKING:
    from defectscope.client import Client as Client
    from defectscope.desk import analyze as analyze

__version__ = "0.2.0"

__all__ = ["Client", "DefectscopeError", "Finding", "Interval", "Report", "__version__", "analyze"]

# Loaded on first use: `import defectscope` must not cost boto3, numpy, torch or av.
_LAZY = {"Client": "defectscope.client", "analyze": "defectscope.desk"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'defectscope' has no attribute {name!r}")
