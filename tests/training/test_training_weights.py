from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from defectscope.detectors.weights import load_weights, sha256_of
from defectscope.errors import ArtifactError


def _artifact(
    folder: Path, model: torch.nn.Module, name: str = "w.safetensors"
) -> dict[str, object]:
    data = save({k: v.half() for k, v in model.state_dict().items()})
    (folder / name).write_bytes(data)
    return {"weights": {"file": name, "sha256": sha256_of(data)}}


def test_released_weights_load_in_full_precision_and_evaluation_mode(tmp_path: Path) -> None:
    source = torch.nn.Linear(3, 2)
    artifact = _artifact(tmp_path, source)
    loaded = load_weights(torch.nn.Linear(3, 2), tmp_path, artifact)
    assert loaded.weight.dtype == torch.float32
    assert torch.allclose(loaded.weight, source.weight, atol=1e-3)
    assert not loaded.training
    assert not loaded.weight.requires_grad


def test_a_changed_byte_is_refused_with_both_hashes(tmp_path: Path) -> None:
    artifact = _artifact(tmp_path, torch.nn.Linear(3, 2))
    path = tmp_path / "w.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError) as caught:
        load_weights(torch.nn.Linear(3, 2), tmp_path, artifact)
    message = caught.value.message
    assert "w.safetensors" in message
    assert sha256_of(bytes(data)) in message
    assert str(artifact["weights"]["sha256"]) in message  # type: ignore[index]


def test_missing_weights_are_named(tmp_path: Path) -> None:
    artifact = _artifact(tmp_path, torch.nn.Linear(3, 2))
    (tmp_path / "w.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"w\.safetensors: missing"):
        load_weights(torch.nn.Linear(3, 2), tmp_path, artifact)


def test_another_detectors_weights_are_refused(tmp_path: Path) -> None:
    mine = _artifact(tmp_path, torch.nn.Linear(3, 2), "mine.safetensors")
    theirs = _artifact(tmp_path, torch.nn.Linear(4, 2), "theirs.safetensors")
    swapped = tmp_path / "mine.safetensors"
    swapped.write_bytes((tmp_path / "theirs.safetensors").read_bytes())
    with pytest.raises(ArtifactError, match="not the expected file"):
        load_weights(torch.nn.Linear(3, 2), tmp_path, mine)
    with pytest.raises(ArtifactError, match="does not fit"):
        load_weights(torch.nn.Linear(3, 2), tmp_path, theirs)


def test_an_artifact_without_weights(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="names no weights"):
        load_weights(torch.nn.Linear(3, 2), tmp_path, {})
