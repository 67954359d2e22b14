"""The network, its runtimes, and weights that are not the released ones."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from defectscope.detectors.block_corruption.backbone import Backbone
from defectscope.detectors.block_corruption.detector import BlockCorruption
from defectscope.detectors.block_corruption.network import BlockNet
from defectscope.detectors.block_corruption.runtime import Runtime
from defectscope.detectors.block_corruption.seams import measures, scaled
from defectscope.detectors.weights import load_weights
from defectscope.engine.artifacts import bundled, tuned
from defectscope.errors import ArtifactError

NAME = "block_corruption"
SHA256 = str(tuned(NAME).artifact["weights"]["sha256"])


def released() -> BlockNet:
    artifact = tuned(NAME).artifact
    network = BlockNet(int(artifact["network"]["width"]))
    load_weights(network, bundled("model_artifacts") / NAME, artifact)
    return network


@pytest.fixture(scope="module")
def network() -> BlockNet:
    return released()


def rgb_pair(height: int, width: int, seed: int = 3):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    now = np.kron(coarse, np.ones((8, 8, 1), np.uint8))[:height, :width]
    return np.ascontiguousarray(now), np.ascontiguousarray(np.roll(now, 5, axis=1))


def taken(now: Any, before: Any):
    """What the seams' branch takes of two frames."""
    return scaled(measures(now, before))


@pytest.mark.parametrize(
    ("size", "cells"), [((224, 224), (7, 7)), ((1080, 1920), (34, 60)), ((1, 1), (1, 1))]
)
def test_the_map_has_a_cell_per_32_pixels(size: Any, cells: Any):
    network = BlockNet(4).eval()
    with torch.no_grad():
        logits, decision = network(torch.zeros(1, 3, *size), torch.zeros(1, 3, *size))
    assert logits.shape == (1, 2, *cells)
    assert decision.shape == (1, 2)


def test_a_frame_that_stands_still_has_no_change_to_show():
    still = torch.full((1, 3, 8, 8), 200, dtype=torch.uint8)
    x = taken(still, still)
    assert torch.count_nonzero(x[:, 3:]) == 0
    # Bytes are widened before they are subtracted: 0 - 200 must not wrap round.
    dark = torch.zeros_like(still)
    assert taken(dark, still)[0, 3, 0, 0] == pytest.approx(-200 / 16)


def test_a_straight_border_outweighs_dots():
    """Seams are averaged along their direction, so four pixels in a row count four times."""
    border, dot = (torch.full((1, 3, 16, 16), 100.0) for _ in range(2))
    border[..., 4:8, 6:] += 40
    dot[..., 5, 6:] += 40
    across = [taken(p, p)[0, 7] * 16 for p in (border, dot)]
    assert across[0][1, 1] == pytest.approx(40)
    assert across[1][1, 1] == pytest.approx(10)


def test_a_ramp_has_no_seams():
    ramp = (torch.arange(32.0) * 5).expand(1, 3, 32, 32)
    assert taken(ramp, ramp)[0, 7:9, :, 1:-1].abs().max() < 1e-5


def test_early_features_keep_what_imagenet_taught_them_and_later_ones_learn():
    torch.manual_seed(1)
    backbone = Backbone().train()
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    optimiser = torch.optim.SGD([p for p in backbone.parameters() if p.requires_grad], lr=1.0)
    middle, last = backbone(torch.rand(2, 3, 64, 64) * 255)
    assert (middle.shape[2:], last.shape[2:]) == ((4, 4), (2, 2))
    (middle.square().mean() + last.square().mean()).backward()
    optimiser.step()
    after = backbone.state_dict()
    moved = {k for k, v in before.items() if not torch.equal(v, after[k])}
    assert moved
    # Neither early filters nor what any layer takes for the usual mean and spread have moved.
    assert not any(k.startswith(("stem.", "stages.0.", "stages.1.")) for k in moved)
    assert not any("running_" in k for k in moved)


def test_features_are_the_same_in_training_and_after_it():
    torch.manual_seed(1)
    backbone = Backbone()
    frame = torch.rand(1, 3, 64, 64) * 255
    with torch.no_grad():
        for one, other in zip(backbone.train()(frame), backbone.eval()(frame), strict=True):
            assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_every_runtime_agrees_with_plain_fp32(network: Any, engine: Any):
    """In bfloat16 where the processor has it, as released."""
    if engine == "openvino":
        pytest.importorskip("openvino")
    now, before = rgb_pair(270, 480)
    with torch.no_grad():
        pair = (torch.from_numpy(p)[None].permute(0, 3, 1, 2) for p in (now, before))
        logits, decision = network(*pair)
    # The stated tolerance of reduced precision; docs/detectors/block_corruption.md.
    cells, scores = Runtime(lambda: network, SHA256, engine=engine)(now, before)
    assert np.abs(cells - logits[0].sigmoid().numpy()).max() < 0.08
    assert np.abs(cells - logits[0].sigmoid().numpy()).mean() < 0.01
    assert np.abs(scores - decision[0].numpy()).max() < 0.25


def test_small_frames_are_analyzed_too(network: Any):
    runtime = Runtime(lambda: network, SHA256)
    for size in ((1, 1), (2, 90), (63, 500)):
        cells, decision = runtime(*rgb_pair(*size))
        assert cells.shape[1:] == tuple(-(-n // 32) for n in size)
        assert np.isfinite(decision).all()


@pytest.mark.parametrize("harm", ["missing", "flipped", "swapped"])
def test_weights_that_are_not_the_released_ones_are_refused(tmp_path: Any, harm: Any):
    source = bundled("model_artifacts") / NAME
    folder = tmp_path / NAME
    folder.mkdir()
    document = json.loads((source / "detector.json").read_text("utf-8"))
    data = bytearray((source / document["weights"]["file"]).read_bytes())
    if harm == "flipped":
        data[len(data) // 2] ^= 1
    if harm == "swapped":
        data = bytearray(b"other weights")
    if harm != "missing":
        (folder / document["weights"]["file"]).write_bytes(data)
    detector = BlockCorruption(tuned=replace(tuned(NAME), artifact=document, folder=folder))
    with pytest.raises(ArtifactError) as caught:
        _ = detector.runtime
    assert document["weights"]["sha256"] in caught.value.message
    assert document["weights"]["file"] in caught.value.message
    if harm != "missing":
        # Both hashes are named: the one expected and the one found.
        assert len([w for w in caught.value.message.replace(",", " ").split() if len(w) == 64]) == 2
