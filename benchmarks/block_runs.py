"""Runs of the block corruption detector beside its scores: a real defect, and speed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from defectscope.detectors import load
from defectscope.detectors.block_corruption.layout import CELL_PX
from defectscope.detectors.block_corruption.network import BlockNet
from defectscope.detectors.block_corruption.runtime import Runtime
from defectscope.media import open_media
from defectscope.media.frames import Frame
from defectscope.media.pixels import to_rgb
from defectscope.training.block_corruption.programmes import NAME, evaluate


def real(path: Path, work: Path) -> dict[str, Any]:
    """What is found where the decoder itself reports damage."""
    with open_media(path) as reader:
        base = reader.info.video.time_base
        frames = [i for i in reader.read(audio=False) if isinstance(i, Frame)]
    flagged = [float(f.pts * base) for f in frames if f.corrupt]
    measured, stream = evaluate(path, work)
    result = load(NAME).decide(measured, stream)
    hit = sum(any(f.start_s <= t < f.end_s for f in result.findings) for t in flagged)
    return {
        "file": path.name, "frames": len(frames), "decoder_flagged": len(flagged),
        "flagged_inside_findings": hit,
        "findings": [{"start_s": f.start_s, "end_s": f.end_s, "confidence": f.confidence,
                      "corrupted_area": f.evidence["corrupted_area"]} for f in result.findings],
        "peak_score": result.peak_score,
    }  # fmt: skip


def overlays(path: Path, out: Path, count: int = 4) -> None:
    """Draws flagged frames of a file beside themselves with the map laid over them."""
    from PIL import Image

    detector = load(NAME)
    with open_media(path) as reader:
        frames = [i for i in reader.read(audio=False) if isinstance(i, Frame)]
    flagged = [k for k, frame in enumerate(frames) if frame.corrupt and k]
    rows = []
    for k in np.array(flagged)[np.linspace(0, len(flagged) - 1, count).astype(int)].tolist():
        now, before = (to_rgb(frames[j].native, detector.params.max_height_px) for j in (k, k - 1))
        cells, _ = detector.runtime(now, before)
        height, width = now.shape[:2]
        side = np.ones((CELL_PX, CELL_PX))
        shade = np.kron(cells[0], side)[:height, :width, None]
        red = np.array([255.0, 0.0, 0.0])
        grey = now.mean(axis=2, keepdims=True) * 0.6
        rows.append(np.concatenate([now, grey * (1 - shade) + red * shade], axis=1))
    sheet = Image.fromarray(np.concatenate(rows).astype(np.uint8))
    sheet.thumbnail((960, 1440))
    sheet.save(out, optimize=True)


class Published(nn.Module):
    """ResNet-18 as published, its last layer a 1x1 convolution: what the map's speed is held to."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        )  # fmt: skip
        widths = (64, 64, 128, 256, 512)
        self.blocks = nn.ModuleList()
        self.shortcuts = nn.ModuleList()
        for index in range(8):
            inputs, outputs = widths[(index + 1) // 2], widths[index // 2 + 1]
            stride = 2 if inputs != outputs else 1
            self.blocks.append(nn.Sequential(
                nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs),
                nn.ReLU(), nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
                nn.BatchNorm2d(outputs),
            ))  # fmt: skip
            self.shortcuts.append(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False) if stride == 2 else nn.Identity()
            )
        self.head = nn.Conv2d(512, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the map's logits."""
        x = self.stem(x)
        for block, shortcut in zip(self.blocks, self.shortcuts, strict=True):
            x = torch.relu(block(x) + shortcut(x))
        return self.head(x)


def speed() -> dict[str, Any]:
    """One 1080 x 1920 map: the released runtime, and fp32 in plain PyTorch, in turns."""
    detector = load(NAME)
    network = BlockNet(int(detector.tuned.artifact["network"]["width"])).eval()
    published = Published().eval()
    rng = np.random.default_rng(1)
    now = rng.integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    before = np.roll(now, 2, axis=1)
    image = torch.from_numpy(now)[None].permute(0, 3, 1, 2).float() / 255
    bf16 = Runtime(lambda: network, "", engine="torch")
    small = [np.ascontiguousarray(p[:360, :640]) for p in (now, before)]

    def plain_published() -> Any:
        with torch.inference_mode():
            return published(image)

    runs: dict[str, Any] = {
        "published_fp32": plain_published,
        "plain_fp32": lambda: plain(network, now, before),
        "torch_bf16": lambda: bf16(now, before),
        "released": lambda: detector.runtime(now, before),
        "released_360x640": lambda: detector.runtime(*small),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    cpu: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(6):
        for name, run in runs.items():
            wall, used = time.perf_counter(), time.process_time()
            run()
            if turn:
                times[name].append((time.perf_counter() - wall) * 1e3)
                cpu[name].append((time.process_time() - used) * 1e3)
    out: dict[str, Any] = {"engine": detector.runtime.engine}
    out |= {f"{name}_ms": round(min(t), 1) for name, t in times.items()}
    out |= {f"{name}_cpu_ms": round(min(t), 1) for name, t in cpu.items()}
    for name in ("published", "plain"):
        out[f"ratio_to_{name}"] = round(out[f"{name}_fp32_ms"] / out["released_ms"], 2)
    return out


def plain(network: BlockNet, now: np.ndarray, before: np.ndarray) -> Any:
    """The map as PyTorch computes it without any choice of runtime or precision."""
    with torch.inference_mode():
        pair = (torch.from_numpy(p)[None].permute(0, 3, 1, 2) for p in (now, before))
        return network(*pair)
