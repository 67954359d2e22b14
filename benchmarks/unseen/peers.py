"""What other tools say of the quality of a clip: ffmpeg's filters, and CAMBI where it is at hand.

The clip's score is the highest mean over a second, as each tool has it by frame.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

import peers

# ffmpeg's filter by defect; bitplanenoise has the noise of the lowest bit of luma.
_FILTERS = {peer.defect: peer for peer in peers.PEERS if peer.read == "level"}
_FILTERS["video_noise"] = peers.Peer(
    "video_noise", "bitplanenoise", "level", ("lavfi.bitplanenoise.0.1",)
)
NAMES = {defect: peer.chain for defect, peer in _FILTERS.items()} | {"banding": "CAMBI"}
_LONGEST_S = 120


def scores(path: Path, defects: list[str], ffmpeg: Path | None) -> dict[str, float]:
    """Returns the score of each defect's peer.

    Args:
        path: The clip.
        defects: Whose peers are asked.
        ffmpeg: A binary with libvmaf, for CAMBI; without one it is not asked.
    """
    out: dict[str, float] = {}
    for defect in defects:
        if defect in _FILTERS:
            out[defect] = peers.ask(_FILTERS[defect], path)["score"]
        elif defect == "banding" and ffmpeg is not None:
            out[defect] = _cambi(path, ffmpeg)
    return out


def _cambi(path: Path, ffmpeg: Path) -> float:
    """Returns the mean of CAMBI over a clip's frames, of which there is about a second."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "cambi.json"
        both = ["-i", str(path), "-i", str(path)]
        chain = f"libvmaf=feature=name=cambi:log_fmt=json:log_path={log}"
        subprocess.run(
            [str(ffmpeg), "-v", "error", *both, "-lavfi", chain, "-f", "null", "-"],
            check=True,
            timeout=_LONGEST_S,
        )
        frames = json.loads(log.read_text("utf-8"))["frames"]
    return sum(f["metrics"]["cambi"] for f in frames) / max(1, len(frames))
