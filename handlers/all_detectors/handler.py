"""Serves every detector at once: one decode, all the verdicts."""

from __future__ import annotations

from typing import Any

from defectscope.findings import Report
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import Request, encode_report
from defectscope.serving.jobs import Job, all_detectors, judge, open_job


class AllDetectorsHandler(DetectorHandler):
    """Runs all detectors, or those that a request names, over one decode of the media."""

    serves = all_detectors()
    # Each network is loaded when a request first needs it: a caller who asks for loudness alone
    # does not wait for the others, nor pay their memory.
    eager = False

    def preprocess(self, request: Request) -> Job:
        """Opens the media, with its side-car captions where the request names some."""
        return open_job(request, self.settings, self.serves)

    def inference(self, job: Job) -> Report:
        """Decodes once, measures for every detector, and lets each decide over the stretch."""
        return judge(job)

    def postprocess(self, report: Report, request: Request) -> dict[str, Any]:
        """Gives the report's JSON, led by the caller's `id` where there was one."""
        return encode_report(report, request.id)
