"""Serves `stream_integrity`: decoder errors, jumping time stamps, streams that do not fit."""

from __future__ import annotations

from typing import Any

from defectscope.findings import Report
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import Request, encode_report
from defectscope.serving.jobs import Job, judge, open_job


class StreamIntegrityHandler(DetectorHandler):
    """Finds decoder errors, jumping time stamps, streams that do not fit."""

    serves = ("stream_integrity",)

    def preprocess(self, request: Request) -> Job:
        """Opens the media as a container, whatever streams it has."""
        return open_job(request, self.settings, self.serves)

    def inference(self, job: Job) -> Report:
        """Decodes everything once and collects what demuxer and decoders complain about."""
        return judge(job)

    def postprocess(self, report: Report, request: Request) -> dict[str, Any]:
        """Gives the report's JSON, led by the caller's `id` where there was one."""
        return encode_report(report, request.id)
