from __future__ import annotations

import numpy as np
import pytest

from defectscope.detectors.audio_dropout.levels import HOPS_HZ, LevelMeter, to_dbfs

RATE_HZ = 48_000


@pytest.mark.parametrize("start", [0, 1, 257, RATE_HZ // HOPS_HZ, 123_457])
def test_sound_may_begin_within_a_hop(start: int) -> None:
    meter = LevelMeter(RATE_HZ, 2)
    at = np.arange(start, start + 2_000)
    tone = 0.5 * np.sin(2 * np.pi * 1000 * at / RATE_HZ)
    meter.push(start, np.stack([tone, np.zeros(len(tone))], axis=1).astype(np.float32))
    ((first, codes),) = meter.rows
    assert first == -(-start * HOPS_HZ // RATE_HZ)
    assert len(codes) == (start + 2_000) * HOPS_HZ // RATE_HZ - first
    assert to_dbfs(codes[:, 0]) == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.3)
    assert not codes[:, 1].any()
    assert meter.held == []
