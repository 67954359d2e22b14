"""Serves `loudness`: programmes too loud or too soft for a target, and true peaks above it."""

from __future__ import annotations

from typing import Any

from defectscope.findings import Report
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import Request, encode_report
from defectscope.serving.jobs import Job, judge, open_job


class LoudnessHandler(DetectorHandler):
    """Finds programmes too loud or too soft for a target, and true peaks above it."""

    serves = ("loudness",)

    def preprocess(self, request: Request) -> Job:
        """Opens the media; the picture is not decoded for this detector."""
        return open_job(request, self.settings, self.serves)

    def inference(self, job: Job) -> Report:
        """Measures K-weighted power and oversampled peaks and gates them over the stretch."""
        return judge(job)

    def postprocess(self, report: Report, request: Request) -> dict[str, Any]:
        """Gives the report's JSON, led by the caller's `id` where there was one."""
        return encode_report(report, request.id)
