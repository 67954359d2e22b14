"""What a learned handler shows of its networks and rules is what runs when it is called."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from loaded_handlers import HANDLERS, handler_of

from defectscope.detectors import load, names
from defectscope.engine.passes import NetworkPass
from defectscope.errors import ServingError
from defectscope.serving.codec import AnalysisRequest
from defectscope.serving.rules import ruled_by
from defectscope.serving.sample import sample_avi
from defectscope.simulate.positive_clips import positive_clip

LEARNED = ("audio_artifacts", "av_sync", "block_corruption")
FOLDERS = {p.name: p for p in HANDLERS}


def never_ran(steps: Iterable[Callable[..., Any]], work: Callable[[], Any]) -> tuple[Any, set[str]]:
    """Returns what a function returns, and the steps that did not run meanwhile."""
    waited = {step.__code__: step.__qualname__ for step in steps}

    def note(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            waited.pop(frame.f_code, None)
        if not waited:
            # Being watched costs a lot: no longer than needed.
            sys.setprofile(None)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        return work(), set(waited.values())
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def test_the_learned_detectors_are_those_that_have_passes():
    assert tuple(n for n in names() if getattr(load(n), "passes", ())) == LEARNED


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNED)
def test_what_a_handler_shows_runs(name, tmp_path):
    handler, detector = handler_of(FOLDERS[name]), load(name)
    request = AnalysisRequest(media=positive_clip(name, tmp_path).media)
    asset = handler.preprocess(request)
    steps = [step for each in detector.passes for step in (*each.inputs, *each.outputs)]
    measured, missing = never_ran(steps, lambda: handler.inference(asset))
    assert not missing
    answer, missing = never_ran(detector.rules, lambda: handler.postprocess(measured, request))
    assert not missing
    assert answer["findings"]
    asset.close()


def test_a_handler_that_shows_something_else_is_stopped():
    handler = handler_of(FOLDERS["audio_artifacts"])
    asset = handler.preprocess(AnalysisRequest(media=sample_avi()))
    with pytest.raises(ServingError, match="runs something else"):
        asset.measure(NetworkPass("Other.forward", batch=1, inputs=()))
    with pytest.raises(ServingError, match="other rules"):
        ruled_by(handler.inference(asset), sorted)
    asset.close()
