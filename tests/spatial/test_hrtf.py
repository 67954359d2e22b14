"""Measured heads from SOFA files; a small one is made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from defectscope.errors import MediaNotFoundError, UnreadableMediaError
from defectscope.spatial import KEMAR_PATH, Head, crosstalk_filters, load_device, load_head

h5py = pytest.importorskip("h5py")
RATE = 44_100


def write_sofa(path: Path, *, positions: np.ndarray | None = None, ears: int = 2) -> None:
    """Writes a head whose ears hear 0.3 ms sin(azimuth) early and late."""
    if positions is None:
        azimuth = np.arange(0, 360, 10.0)
        positions = np.stack([azimuth, np.zeros(36), np.full(36, 1.4)], axis=1)
    impulses = np.zeros((len(positions), ears, 128))
    for row, angle in enumerate(np.radians(positions[:, 0])):
        for ear, sign in zip(range(ears), (-1, 1), strict=False):
            late = 40 + sign * 0.3e-3 * RATE * np.sin(angle)
            impulses[row, ear] = np.sinc(np.arange(128) - late)
    with h5py.File(path, "w") as file:
        file["SourcePosition"] = positions
        file["SourcePosition"].attrs["Type"] = b"spherical"
        file["Data.IR"] = impulses
        file["Data.SamplingRate"] = np.array([float(RATE)])
        file["Data.Delay"] = np.zeros((1, ears))


def test_between_two_directions(tmp_path: Path) -> None:
    write_sofa(tmp_path / "head.sofa")
    head = load_head(tmp_path / "head.sofa")
    frequencies = np.linspace(300, 4_000, 50)
    for azimuth in (0.0, 10.0, 34.0, 357.0, -3.0):
        left, right = head.response(azimuth, frequencies)
        wanted = np.exp(2j * np.pi * frequencies * 0.6e-3 * np.sin(np.radians(azimuth)))
        assert np.abs(np.angle(left / right / wanted)).max() < 0.05


def test_bad_files(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFoundError):
        load_head(tmp_path / "none.sofa")
    (tmp_path / "text.sofa").write_text("no")
    with pytest.raises(UnreadableMediaError):
        load_head(tmp_path / "text.sofa")
    write_sofa(tmp_path / "one.sofa", ears=1)
    with pytest.raises(UnreadableMediaError):
        load_head(tmp_path / "one.sofa")
    write_sofa(tmp_path / "few.sofa", positions=np.array([[0, 0, 1.4], [90, 0, 1.4]]))
    with pytest.raises(UnreadableMediaError):
        load_head(tmp_path / "few.sofa")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Data.SamplingRate", 1.0),
        ("Data.SamplingRate", 1e9),
        ("Data.SamplingRate", np.nan),
        ("Data.Delay", -5.0),
        ("Data.Delay", 1e9),
        ("Data.Delay", np.nan),
        ("SourcePosition", np.nan),
        ("Data.IR", np.inf),
        ("Data.IR", 0.0),
    ],
)
def test_values_that_no_head_has(tmp_path: Path, field: str, value: float) -> None:
    """A delay of 1e9 samples once took 2 TiB, a rate of 1 Hz minutes."""
    write_sofa(tmp_path / "head.sofa")
    with h5py.File(tmp_path / "head.sofa", "r+") as file:
        file[field][...] = np.full(file[field].shape, value)
    with pytest.raises(UnreadableMediaError):
        load_head(tmp_path / "head.sofa")


@pytest.mark.parametrize("field", ["SourcePosition", "Data.IR", "Data.SamplingRate", "Data.Delay"])
def test_a_missing_field_and_the_convention_are_named(tmp_path: Path, field: str) -> None:
    write_sofa(tmp_path / "head.sofa")
    with h5py.File(tmp_path / "head.sofa", "r+") as file:
        del file[field]
        file.attrs["SOFAConventions"] = b"GeneralTF"
    with pytest.raises(UnreadableMediaError, match=f"GeneralTF and has no {field}"):
        load_head(tmp_path / "head.sofa")


def test_positions_may_be_cartesian_and_delays_apart(tmp_path: Path) -> None:
    write_sofa(tmp_path / "head.sofa")
    wanted = load_head(tmp_path / "head.sofa")
    with h5py.File(tmp_path / "head.sofa", "r+") as file:
        turn = np.radians(file["SourcePosition"][:, 0])
        file["SourcePosition"][...] = 1.4 * np.stack(
            [np.cos(turn), np.sin(turn), np.zeros(len(turn))], axis=1
        )
        file["SourcePosition"].attrs["Type"] = b"cartesian"
        file["Data.Delay"][...] = np.full((1, 2), 3.5)
    head = load_head(tmp_path / "head.sofa")
    line = np.linspace(300, 4_000, 20)
    late = np.exp(-2j * np.pi * line * 3.5 / RATE)
    assert head.distance_m == pytest.approx(1.4)
    assert np.abs(head.response(34.0, line) - wanted.response(34.0, line) * late).max() < 0.02


@pytest.fixture(scope="module")
def kemar() -> Head:
    if not KEMAR_PATH.is_file():
        pytest.skip("libmysofa1 is not installed")
    return load_head()


def test_kemar(kemar: Head) -> None:
    assert len(kemar.azimuths_deg) == 72
    assert kemar.impulses.shape[1:] == (2, 512)
    left, right = kemar.response(30.0, np.array([2_000.0]))
    assert abs(left[0]) > 1.5 * abs(right[0])


@pytest.mark.parametrize(("target_db", "least_db"), [(10.0, 9.0), (15.0, 13.0)])
def test_cancellation_on_kemar(kemar: Head, target_db: float, least_db: float) -> None:
    device = load_device("two_narrow")
    taps = crosstalk_filters(device, 48_000, target_db)
    gains = []
    for centre in 1000 * 2.0 ** (np.arange(-7, 10) / 3):
        band = np.linspace(centre * 2 ** (-1 / 6), centre * 2 ** (1 / 6), 24)
        paths = kemar.ear_paths(device, band)
        clock = np.outer(np.arange(taps.shape[-1]), band) / 48_000
        at_ears = paths @ np.moveaxis(taps @ np.exp(-2j * np.pi * clock), -1, 0)
        power = [np.mean(np.abs(x) ** 2, axis=0) for x in (paths, at_ears)]
        natural, rendered = (10 * np.log10(p[0, 0] / p[1, 0]) for p in power)
        gains.append(rendered - natural)
    assert np.mean(gains) >= least_db
