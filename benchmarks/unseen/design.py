"""Which clips are made: recordings split once, ways, levels, rasters and encodes sampled."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from unseen import ways_banding, ways_blockiness, ways_blur, ways_noise

LEVELS = (1, 2, 3, 4, 5)
HEIGHTS_PX = (240, 360, 480, 540, 720)
# Recordings whose licence allows no training never choose anything.
MEASURE_ONLY = ("p70m_",)
SUFFIXES = {".mp4", ".webm", ".mkv", ".mov"}

WAYS: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "compression_blockiness": ways_blockiness.WAYS,
    "banding": ways_banding.WAYS,
    "blur": ways_blur.WAYS,
    "video_noise": ways_noise.WAYS,
}


@dataclass(frozen=True)
class Clip:
    """One clip to be made.

    Attributes:
        key: Its name.
        recording: File that it is made of.
        unseen: Whether that recording takes no part in tuning.
        defect: What is made, "" for nothing.
        way: How, "" for nothing.
        level: How strong, 1 to 5; 0 for nothing.
        height: Lines; 0 keeps those of the recording.
        delivery: Whether a delivery encode follows.
        seed: Of everything drawn.
    """

    key: str
    recording: str
    unseen: bool
    defect: str
    way: str
    level: int
    height: int
    delivery: bool
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Returns a JSON-ready object."""
        return asdict(self)

    def at(self, level: int) -> Clip:
        """Returns the clip of another level, alike in all else."""
        stem = Path(self.recording).stem
        key = _key(self.defect, self.way, level, stem, self.height, self.delivery)
        return replace(self, key=key, level=level)


def is_unseen(path: Path) -> bool:
    """Tells whether a recording takes no part in tuning: a third, by the hash of its name."""
    digest = hashlib.sha256(path.name.encode()).digest()
    return path.name.startswith(MEASURE_ONLY) or digest[0] % 3 == 0


def recordings(folders: Sequence[Path]) -> list[Path]:
    """Returns the recordings in some folders, by name."""
    found = [p for f in folders for p in sorted(f.iterdir()) if p.suffix.lower() in SUFFIXES]
    return sorted(found, key=lambda p: p.name)


def design(
    paths: Sequence[Path],
    fits: Callable[[str, Path], bool],
    *,
    defects: Sequence[str] | None = None,
    tuning: int = 5,
    unseen: int = 3,
    clean: int | None = None,
    ways: Mapping[str, Mapping[str, Callable[..., Any]]] = WAYS,
) -> list[Clip]:
    """Samples the clips: of each way and recording a series of all levels, alike in all else.

    Args:
        paths: The recordings.
        fits: Tells whether a defect can be seen in a recording.
        defects: Which defects; all by default.
        tuning: Recordings per way that thresholds and heads may be chosen on.
        unseen: Recordings per way that they may not.
        clean: Clean clips; three of every recording by default.
        ways: Ways by defect.
    """
    out: list[Clip] = []
    for defect in defects or ways:
        able = [p for p in paths if fits(defect, p)]
        for way in ways[defect]:
            for apart, count in ((False, tuning), (True, unseen)):
                pool = [p for p in able if is_unseen(p) == apart]
                rng = _rng(f"{defect} {way} {apart}")
                for at in rng.permutation(len(pool))[:count]:
                    first = _clip(pool[at], defect, way, LEVELS[0], rng)
                    out += [first.at(level) for level in LEVELS]
    silent: list[Clip] = []
    for path in paths:
        for turn in range(3):
            rng = _rng(f"clean {path.name} {turn}")
            height = (0, 480, int(rng.choice(HEIGHTS_PX)))[turn]
            silent.append(_clip(path, "", "", 0, rng, height=height, delivery=turn > 0))
    if clean is not None:
        silent = [silent[at] for at in _rng("clean").permutation(len(silent))[:clean]]
    return out + silent


def _rng(text: str) -> np.random.Generator:
    return np.random.default_rng(int(hashlib.sha256(text.encode()).hexdigest()[:12], 16))


def _key(defect: str, way: str, level: int, stem: str, height: int, delivery: bool) -> str:
    return f"{defect or 'clean'}.{way or 'none'}.{level}.{stem}.{height}.{int(delivery)}"


def _clip(
    path: Path,
    defect: str,
    way: str,
    level: int,
    rng: np.random.Generator,
    height: int | None = None,
    delivery: bool | None = None,
) -> Clip:
    drawn = 1080 if rng.random() < 0.06 else int(rng.choice(HEIGHTS_PX))
    again = bool(rng.random() < 0.5)
    lines = drawn if height is None else height
    encode = again if delivery is None else delivery
    key = _key(defect, way, level, path.stem, lines, encode)
    seed = int(rng.integers(1 << 31))
    return Clip(key, str(path), is_unseen(path), defect, way, level, lines, encode, seed)
