"""What speaks against a defect: a note beside the mains, a floor unheard, gaps in the treble."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.detectors.audio_artifacts import against, ceiling
from defectscope.detectors.audio_artifacts.analysis import DECIBEL_SCALE, SHARE_SCALE
from defectscope.detectors.audio_artifacts.classical import SLOW_HZ, standing_lines
from defectscope.detectors.audio_artifacts.hollows import hollows
from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.detectors.audio_artifacts.spectra import (
    BLOCK,
    MARGIN_AFTER,
    MARGIN_BEFORE,
    RATE_HZ,
    measure,
)

LENGTH = MARGIN_BEFORE + BLOCK + MARGIN_AFTER
STEPS = 40
STARTS_S = np.arange(STEPS) / 4


def _lines(hz: float, seconds: float = 3.0) -> np.ndarray:
    """Returns lines, skirt excluded or not, of a tone with harmonics over a little noise."""
    at = np.arange(round(seconds * SLOW_HZ)) / SLOW_HZ
    rng = np.random.default_rng(3)
    tone = sum(np.sin(2 * np.pi * k * hz * at + k) / k for k in range(1, 10))
    return standing_lines((0.1 * tone + 0.003 * rng.standard_normal(len(at))).astype(np.float32))


@pytest.mark.parametrize("hz", [50.0, 49.85, 60.0, 59.94, 60.2])
def test_the_mains_own_lines_are_no_skirt(hz: float) -> None:
    lines, _, skirt, _ = _lines(hz)
    assert lines > 15
    assert skirt < against.MOST_SKIRT_DB


@pytest.mark.parametrize("hz", [48.999, 49.2, 50.8, 61.0])
def test_a_note_beside_the_mains_leaves_a_skirt(hz: float) -> None:
    lines, _, skirt, _ = _lines(hz)
    assert lines > against.STANDING_DB
    assert skirt > against.MOST_SKIRT_DB


def test_hum_under_a_note_is_still_its_own() -> None:
    at = np.arange(3 * SLOW_HZ) / SLOW_HZ
    noise = 0.003 * np.random.default_rng(3).standard_normal(len(at))
    hum = sum(np.sin(2 * np.pi * 50 * k * at + k) for k in (2, 4, 6, 8))
    note = 3 * np.sin(2 * np.pi * 48.999 * at)
    _, _, skirt, _ = standing_lines((0.05 * (hum + note) + noise).astype(np.float32))
    assert skirt < against.MOST_SKIRT_DB


@pytest.mark.parametrize("hz", [50.0, 60.0])
def test_hum_has_no_other_note(hz: float) -> None:
    assert _lines(hz)[3] < against.MOST_NOTE_DB


@pytest.mark.parametrize("hz", [46.25, 51.91, 55.0, 65.41])
def test_a_held_note_stands_out_beyond_the_mains(hz: float) -> None:
    assert _lines(hz)[3] > against.MOST_NOTE_DB


def _treble(gap_hz: tuple[float, float], *, stays: bool = False, floor: float = 1e-6) -> np.ndarray:
    """Returns the shares of both quarters of noise up to 12 kHz with a band left out.

    Args:
        gap_hz: The band.
        stays: Whether it is left out all the time, or for 60 ms of every 120.
        floor: Noise everywhere.
    """
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(LENGTH))
    hz = np.fft.rfftfreq(LENGTH, 1 / RATE_HZ)
    spectrum[hz > 12000] = 0
    whole = np.fft.irfft(spectrum, LENGTH)
    spectrum[(hz > gap_hz[0]) & (hz < gap_hz[1])] = 0
    left = np.fft.irfft(spectrum, LENGTH)
    slow = np.convolve(
        np.arange(LENGTH) // 1920 % 2, np.hanning(400) / np.hanning(400).sum(), "same"
    )
    share = 1.0 if stays else slow
    sound = 0.1 * (left * share + whole * (1 - share))
    sound += floor * np.random.default_rng(2).standard_normal(LENGTH)
    counts = hollows(measure(sound.astype(np.float32)))
    return counts[:, 0] / counts[:, 1]


def test_a_band_that_comes_and_goes_between_others_is_hollow() -> None:
    assert (_treble((6000.0, 7500.0)) > 2 * against.MOST_HOLLOW).all()


def test_what_is_no_hollow() -> None:
    assert not _treble((15000.0, 15001.0)).any()
    # A gap that stays, as that between two harmonics.
    assert (_treble((6000.0, 7500.0), stays=True) < against.MOST_HOLLOW / 2).all()
    # Nothing sounds above 8 kHz: where a coder or a sampling rate ends, no gap is left.
    assert not _treble((8000.0, 16000.0)).any()
    # Noise, or a bent waveform, fills it.
    assert not _treble((6000.0, 7500.0), floor=0.02).any()


def test_silence_has_nothing_to_look_at() -> None:
    assert not hollows(measure(np.zeros(LENGTH, np.float32))).any()


def _columns(**given: float) -> dict[str, np.ndarray]:
    names = ("skirt", "lines", "note", "floor", "level", "hollow", "tops", "corners")
    return {name: np.full(STEPS, given.get(name, 0.0)) for name in names}


@pytest.mark.parametrize(
    ("defect", "given"),
    [
        ("audio_hum", {"skirt": 60.0, "lines": 200.0}),
        ("audio_hum", {"note": 10 * against.MOST_NOTE_DB}),
        ("audio_hiss", {"floor": -700.0, "level": -200.0}),
        ("audio_distortion", {"hollow": 0.02 * SHARE_SCALE}),
    ],
)
def test_each_speaks_against_one_defect(defect: str, given: dict[str, float]) -> None:
    odds = against.lowered(np.full((STEPS, 4), 5.0), _columns(**given), STARTS_S)
    for place, name in enumerate(CLASSES):
        assert (odds[:, place] == (against.LOG_ODDS if name == defect else 5.0)).all()


@pytest.mark.parametrize(
    "given",
    [
        {"skirt": 60.0, "lines": 90.0},
        {"skirt": 10.0, "lines": 200.0},
        {"note": 10 * against.MOST_NOTE_DB - 1},
        {"floor": -500.0, "level": -200.0},
        {"hollow": 0.003 * SHARE_SCALE},
        # A ceiling is proved, whatever the treble is like.
        {
            "hollow": 0.02 * SHARE_SCALE,
            "tops": ceiling.LEAST_TOPS * DECIBEL_SCALE,
            "corners": float(ceiling.LEAST_CORNERS),
        },
    ],
)
def test_less_speaks_against_nothing(given: dict[str, float]) -> None:
    odds = np.full((STEPS, 4), 5.0)
    assert (against.lowered(odds, _columns(**given), STARTS_S) == odds).all()


def test_what_is_low_already_stays() -> None:
    odds = np.full((STEPS, 4), -20.0)
    given = {"skirt": 60.0, "lines": 200.0, "floor": -700.0, "level": 0.0, "hollow": 100.0}
    assert (against.lowered(odds, _columns(**given), STARTS_S) == odds).all()
