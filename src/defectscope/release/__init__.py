"""Two builds of an application compared over captured sessions of devices and titles."""

from defectscope.release.comparing import ReleaseComparison, compare_releases
from defectscope.release.matrix import Run, read_runs

__all__ = ["ReleaseComparison", "Run", "compare_releases", "read_runs"]
