"""What is new in a frame: noise is, texture that moves is not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from defectscope.detectors.video_noise.fresh import fresh_code
from defectscope.detectors.video_noise.residual import UNTOLD, residual_measures
from defectscope.features.lines import lines_of
from defectscope.media.frames import Plane

HEIGHT, WIDTH = 240, 320
RNG = np.random.default_rng(5)
# Texture of several sizes, as of bark or a crowd: about 12 codes strong.
_LARGE = sum(ndimage.gaussian_filter(RNG.normal(0, s * 28, (320, 400)), s) for s in (1.2, 2.5, 5))


def texture(down: float, across: float) -> np.ndarray:
    """Returns the texture moved by so many samples."""
    moved = ndimage.shift(_LARGE, (down, across), order=3, mode="wrap")
    return 120 + moved[40 : 40 + HEIGHT, 40 : 40 + WIDTH]


def codes(luma: np.ndarray, bit_depth: int = 8) -> np.ndarray:
    scaled = np.rint(luma * (1 << (bit_depth - 8)))
    return scaled.astype(np.uint8 if bit_depth == 8 else np.uint16)


def noise(sigma_code: float, grain_px: float = 0.0) -> np.ndarray:
    raw = RNG.normal(0, 1, (HEIGHT, WIDTH))
    if grain_px:
        raw = ndimage.gaussian_filter(raw, grain_px)
    return sigma_code * raw / raw.std()


@pytest.mark.parametrize(("down", "across"), [(0, 0.001), (3, -7), (-11.5, 4.5), (0.25, 17.6)])
def test_texture_that_moves_is_not_new(down: float, across: float) -> None:
    now, before = codes(texture(0, 0)), codes(texture(down, across))
    left = fresh_code(now, before, 8)
    assert left is None or left < 1.5
    assert np.std(now) > 12


@pytest.mark.parametrize("grain_px", [0.0, 0.8])
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_noise_is_new_on_flat_and_on_moving_texture(grain_px: float, bit_depth: int) -> None:
    for scene in (lambda d: np.full((HEIGHT, WIDTH), 110.0), lambda d: texture(d, 2 * d)):
        now, before = (codes(scene(d) + noise(6.0, grain_px), bit_depth) for d in (0, 3))
        left = fresh_code(now, before, bit_depth)
        # Of two noisy frames the difference has sqrt(2) sigma at most.
        assert left is not None
        assert 5.0 < left < 9.0


def test_a_repeated_frame_a_black_one_and_a_tiny_one_tell_nothing() -> None:
    frame = codes(texture(0, 0) + noise(6.0))
    assert fresh_code(frame, frame.copy(), 8) is None
    black = [codes(np.clip(16 + noise(2.0), 0, 20)) for _ in range(2)]
    assert fresh_code(black[0], black[1], 8) == 0.0
    assert fresh_code(frame[:32], codes(texture(1, 1))[:32], 8) == 0.0


def test_small_frames_are_told_as_well() -> None:
    moved = fresh_code(codes(texture(0, 0))[:90, :160], codes(texture(2.5, -4))[:90, :160], 8)
    assert moved is not None
    assert moved < 1.5
    noisy = [codes(texture(d, d) + noise(6.0))[:90, :160] for d in (0, 2)]
    left = fresh_code(noisy[0], noisy[1], 8)
    assert left is not None
    assert 5.0 < left < 9.0


def test_a_look_has_both_measures_and_asks_only_where_it_matters() -> None:
    def look(now: np.ndarray, before: np.ndarray | None) -> list[float]:
        planes = [None if p is None else Plane(p, WIDTH, HEIGHT) for p in (now, before)]
        assert planes[0] is not None
        return list(residual_measures(lines_of(planes[0], 8, planes[1])))

    residual, fresh, *_ = look(codes(texture(0, 0)), codes(texture(2.5, 6)))
    assert residual > 4
    assert fresh < 1.5
    alone = look(codes(texture(0, 0)), None)
    assert alone[:2] == [pytest.approx(residual), UNTOLD]
    calm = np.full((HEIGHT, WIDTH), 110.0)
    residual, fresh, dots, *_ = look(codes(calm + noise(0.5)), codes(calm + noise(0.5)))
    assert fresh == residual
    assert dots == 0.0
    sown = np.where(RNG.random(calm.shape) < 0.006, 235.0, calm)
    residual, fresh, dots, *_ = look(codes(sown), codes(np.roll(sown, 97)))
    assert residual < 1.5
    assert fresh > 4
    assert dots == pytest.approx(0.006, rel=0.3)
