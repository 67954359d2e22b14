"""Serves `caption_quality`: captions that are missing, late, unreadable or malformed."""

from __future__ import annotations

from typing import Any

from defectscope.findings import Report
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import Request, encode_report
from defectscope.serving.jobs import Job, judge, open_job


class CaptionQualityHandler(DetectorHandler):
    """Finds faults of captions."""

    serves = ("caption_quality",)

    def preprocess(self, request: Request) -> Job:
        """Opens the media and the side-car captions that the request names."""
        return open_job(request, self.settings, self.serves)

    def inference(self, job: Job) -> Report:
        """Holds every cue against the rules, and all of them against the speech."""
        return judge(job)

    def postprocess(self, report: Report, request: Request) -> dict[str, Any]:
        """Gives the report's JSON, led by the caller's `id` where there was one."""
        return encode_report(report, request.id)
