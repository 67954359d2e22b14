"""Serves `stereo_image`: inverted phase, collapsed, unbalanced and missing channels."""

from __future__ import annotations

from typing import Any

from defectscope.findings import Report
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import Request, encode_report
from defectscope.serving.jobs import Job, judge, open_job


class StereoImageHandler(DetectorHandler):
    """Finds inverted phase, collapsed, unbalanced and missing channels."""

    serves = ("stereo_image",)

    def preprocess(self, request: Request) -> Job:
        """Opens the media; the picture is not decoded for this detector."""
        return open_job(request, self.settings, self.serves)

    def inference(self, job: Job) -> Report:
        """Measures coherence and level between channels and decides over the stretch."""
        return judge(job)

    def postprocess(self, report: Report, request: Request) -> dict[str, Any]:
        """Gives the report's JSON, led by the caller's `id` where there was one."""
        return encode_report(report, request.id)
