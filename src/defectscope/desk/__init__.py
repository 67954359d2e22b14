"""The QC desk: an asset, a list or a folder analyzed, and held against a delivery profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from defectscope.desk.analyzing import analyze as analyze

__all__ = ["analyze"]


def __getattr__(name: str) -> Any:
    # On first use: the names of inputs are wanted where no engine is installed.
    if name == "analyze":
        from defectscope.desk.analyzing import analyze

        return analyze
    raise AttributeError(f"module 'defectscope.desk' has no attribute {name!r}")
