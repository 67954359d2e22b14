"""Serves `tearing`: pictures whose upper and lower part belong to different instants."""

from __future__ import annotations

from typing import Any

from defectscope.findings import Report
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import Request, encode_report
from defectscope.serving.jobs import Job, judge, open_job


class TearingHandler(DetectorHandler):
    """Finds pictures whose upper and lower part belong to different instants."""

    serves = ("tearing",)

    def preprocess(self, request: Request) -> Job:
        """Opens the media; the sound is not decoded for this detector."""
        return open_job(request, self.settings, self.serves)

    def inference(self, job: Job) -> Report:
        """Measures where rows stop continuing each other, then decides."""
        return judge(job)

    def postprocess(self, report: Report, request: Request) -> dict[str, Any]:
        """Gives the report's JSON, led by the caller's `id` where there was one."""
        return encode_report(report, request.id)
