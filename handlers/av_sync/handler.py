"""Serves `av_sync`: sound that is early or late against the lips."""

from __future__ import annotations

from typing import Any

from defectscope.findings import Report
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import Request, encode_report
from defectscope.serving.jobs import Job, judge, open_job


class AvSyncHandler(DetectorHandler):
    """Finds sound that is early or late against the lips."""

    serves = ("av_sync",)

    def preprocess(self, request: Request) -> Job:
        """Opens the media; picture and sound are both decoded for this detector."""
        return open_job(request, self.settings, self.serves)

    def inference(self, job: Job) -> Report:
        """Follows faces from shot to shot in fragments of four seconds.

        Compares every mouth with the sound at offsets of up to 600 ms, and lets windows vote.
        """
        return judge(job)

    def postprocess(self, report: Report, request: Request) -> dict[str, Any]:
        """Gives the report's JSON, led by the caller's `id` where there was one."""
        return encode_report(report, request.id)
