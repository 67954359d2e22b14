"""Compares two versions of a title, and catalogues of them: releases and encodes."""

from defectscope.compare.alignment import Alignment, Edit
from defectscope.compare.catalogue import CatalogueComparison, compare_catalogue
from defectscope.compare.pair import Comparison, compare
from defectscope.compare.reports import compare_reports

__all__ = [
    "Alignment",
    "CatalogueComparison",
    "Comparison",
    "Edit",
    "compare",
    "compare_catalogue",
    "compare_reports",
]
