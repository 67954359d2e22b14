"""Serves `audio_artifacts`: hum, hiss, distortion and clicks in the sound."""

from __future__ import annotations

from typing import Any

from defectscope.findings import Report
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import Request, encode_report
from defectscope.serving.jobs import Job, judge, open_job


class AudioArtifactsHandler(DetectorHandler):
    """Finds hum, hiss, distortion and clicks in the sound."""

    serves = ("audio_artifacts",)

    def preprocess(self, request: Request) -> Job:
        """Opens the media; the picture is not decoded for this detector."""
        return open_job(request, self.settings, self.serves)

    def inference(self, job: Job) -> Report:
        """Lets the network hear every second, each half second, and joins what stays."""
        return judge(job)

    def postprocess(self, report: Report, request: Request) -> dict[str, Any]:
        """Gives the report's JSON, led by the caller's `id` where there was one."""
        return encode_report(report, request.id)
