"""Reports for people and programs: the JSON Schema, a terminal table and one HTML page."""

from __future__ import annotations

from defectscope.report.html import render, write
from defectscope.report.schema import load_schema, validate
from defectscope.report.table import print_report

__all__ = ["load_schema", "print_report", "render", "validate", "write"]
