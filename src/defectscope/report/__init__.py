"""Reports for people and programs: the JSON Schema, a terminal table and one HTML page."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from defectscope.report.html import render as render
    from defectscope.report.html import write as write
    from defectscope.report.schema import load_schema as load_schema
    from defectscope.report.schema import validate as validate
    from defectscope.report.table import print_report as print_report

__all__ = ["load_schema", "print_report", "render", "validate", "write"]

# Loaded on first use: a table on a terminal needs nothing of what draws the page.
_LAZY = {
    "load_schema": "schema",
    "print_report": "table",
    "render": "html",
    "validate": "schema",
    "write": "html",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"defectscope.report.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'defectscope.report' has no attribute {name!r}")
