"""Weights of learned detectors, refused unless they are the ones that detector.json names.

`detector.json` names each weights file with its SHA-256. A file that is missing, damaged or swapped
for another ends in an `ArtifactError` that names it with both hashes: nobody is ever evaluated by
weights that were not measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from defectscope.errors import ArtifactError

if TYPE_CHECKING:
    import torch


def sha256_of(data: bytes) -> str:
    """Returns the SHA-256 of some bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read_verified(path: Path, expected_sha256: str) -> bytes:
    """Returns a file's bytes when they are the expected ones.

    Raises:
        ArtifactError: It is missing, or its SHA-256 is another; the message names the file and
            both hashes.
    """
    try:
        data = path.read_bytes()
    except OSError:
        raise ArtifactError(
            f"{path}: missing; expected a file with SHA-256 {expected_sha256}"
        ) from None
    found = sha256_of(data)
    if found != expected_sha256.lower():
        raise ArtifactError(
            f"{path}: not the expected file; its SHA-256 is {found}, expected {expected_sha256}"
        )
    return data


def load_weights(
    model: torch.nn.Module, folder: Path, artifact: Mapping[str, Any]
) -> torch.nn.Module:
    """Fills a network with the weights that detector.json names and puts it into evaluation mode.

    Args:
        model: The network, in fp32; weights stored in fp16 are widened.
        folder: Of the artifact, model_artifacts/<name>.
        artifact: detector.json; `weights` holds `file` and `sha256`.

    Raises:
        ArtifactError: The file is missing, changed, or belongs to another network.
    """
    path, data = _read_weights(folder, artifact)
    # PyTorch takes a second to import: only who computes with it waits for it.
    from safetensors.torch import load as load_safetensors

    try:
        tensors = {
            k: v.float() if v.is_floating_point() else v for k, v in load_safetensors(data).items()
        }
        model.load_state_dict(tensors)
    except Exception as error:  # whatever safetensors or PyTorch make of foreign contents
        raise ArtifactError(f"{path}: does not fit this detector: {error}") from None
    return model.eval().requires_grad_(False)


def verified_weights(folder: Path, artifact: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of the weights that detector.json names, once they are seen to have it.

    Args:
        folder: Of the artifact, model_artifacts/<name>.
        artifact: detector.json; `weights` holds `file` and `sha256`.

    Raises:
        ArtifactError: The file is missing or changed.
    """
    return sha256_of(_read_weights(folder, artifact)[1])


def _read_weights(folder: Path, artifact: Mapping[str, Any]) -> tuple[Path, bytes]:
    try:
        entry = artifact["weights"]
        path, expected = folder / str(entry["file"]), str(entry["sha256"])
    except (KeyError, TypeError):
        raise ArtifactError(f"{folder / 'detector.json'}: names no weights") from None
    return path, read_verified(path, expected)
