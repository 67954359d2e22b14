"""The faults of the demo: whole frames, apart from each other, those of networks among them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from defectscope.cli.demo import KNOWN
from defectscope.cli.demo_film import FAULTS, SCENE_S, SPEAKER_S
from defectscope.detectors import detector_class, names


def test_six_faults_of_which_networks_find_three():
    found_by = {d: name for name in names() for d in detector_class(name).defects}
    by = [found_by[made.defect] for made in FAULTS]
    assert len(FAULTS) >= 6
    assert {"block_corruption", "audio_artifacts", "av_sync"} <= set(by)
    assert set(KNOWN) <= set(found_by)
    for one, other in pairwise(FAULTS):
        assert one.span.end_s <= other.span.start_s
    for made in FAULTS:
        assert made.span.start_s * 25 == pytest.approx(round(made.span.start_s * 25))
        assert made.span.end_s <= 2 * SCENE_S + SPEAKER_S + 1e-9
