"""Serves `interlacing`: pictures woven from two fields of different instants."""

from __future__ import annotations

from typing import Any

from defectscope.findings import Report
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import Request, encode_report
from defectscope.serving.jobs import Job, judge, open_job


class InterlacingHandler(DetectorHandler):
    """Finds pictures woven from two fields of different instants."""

    serves = ("interlacing",)

    def preprocess(self, request: Request) -> Job:
        """Opens the media; the sound is not decoded for this detector."""
        return open_job(request, self.settings, self.serves)

    def inference(self, job: Job) -> Report:
        """Measures how the fields of neighbouring pictures fit together, then decides."""
        return judge(job)

    def postprocess(self, report: Report, request: Request) -> dict[str, Any]:
        """Gives the report's JSON, led by the caller's `id` where there was one."""
        return encode_report(report, request.id)
