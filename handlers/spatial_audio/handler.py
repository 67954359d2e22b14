"""Serves `spatial_audio`: sound rendered for narrow loudspeakers, or for headphones."""

from __future__ import annotations

from typing import Any

from defectscope.serving.codec import AnalysisRequest
from defectscope.serving.rendering import (
    Rendered,
    RenderingHandler,
    RenderJob,
    encode_rendering,
    open_render_job,
    render,
)


class SpatialAudioHandler(RenderingHandler):
    """Widens the stereo image: upmixed centre, cancelled crosstalk, a beam ahead."""

    serves = ("spatial_audio",)

    def preprocess(self, request: AnalysisRequest) -> RenderJob:
        """Opens the media and checks the settings; the frame is not decoded."""
        return open_render_job(request, self.settings)

    def inference(self, job: RenderJob) -> Rendered:
        """Splits left, centre and right and filters them for the drivers, block by block."""
        return render(job)

    def postprocess(self, rendered: Rendered, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the rendering's JSON and sound, led by the caller's `id` where there was one."""
        return encode_rendering(rendered, request.id)
