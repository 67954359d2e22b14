"""Publishes a signed version of the player's modules to a bucket and a stage."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from defectscope.errors import ArtifactError, InvalidParameterError

MODULES = {"kernel": "kernel.wasm", "decisions": "decisions.wasm"}
_SHORT_S = 60
Put = Callable[[str, bytes, str, int], None]


def manifest(
    folder: Path, *, version: str, stage: str, percentage: float, kill: bool, days: int
) -> dict[str, Any]:
    """Returns what a manifest says; modules are named by their hash.

    Args:
        folder: Where the modules lie, as `npm run build` makes it.
        version: Name of the version.
        stage: Such as `canary` or `production`.
        percentage: Share of sessions that get WebAssembly, 0 to 100.
        kill: Whether nobody is to be watched.
        days: For how long players believe it.

    Raises:
        InvalidParameterError: The percentage is not one.
        ArtifactError: A module is missing.
    """
    if not 0 <= percentage <= 100:
        raise InvalidParameterError(f"a percentage is from 0 to 100, not {percentage}")
    modules: dict[str, dict[str, str]] = {}
    for name, file in MODULES.items():
        path = folder / file
        if not path.is_file():
            raise ArtifactError(f"{path} is missing: build the player first")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        modules[name] = {"url": f"../modules/{digest}.wasm", "sha256": digest}
    expires = datetime.now(UTC) + timedelta(days=days)
    return {
        "version": version,
        "stage": stage,
        "percentage": percentage,
        "kill": kill,
        "expires": expires.isoformat(timespec="seconds"),
        "modules": modules,
    }


def signed(content: dict[str, Any], private_key: bytes) -> bytes:
    """Signs a manifest with ECDSA on P-256 and SHA-256, as Web Cryptography wants it.

    Args:
        content: What the manifest says.
        private_key: The key in PEM.

    Raises:
        InvalidParameterError: It is not a private key on P-256.
    """
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    try:
        key = serialization.load_pem_private_key(private_key, None)
    except (ValueError, TypeError) as error:
        raise InvalidParameterError(f"the private key cannot be read: {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise InvalidParameterError("the private key is one of ECDSA on P-256")
    payload = json.dumps(content, separators=(",", ":"), sort_keys=True).encode()
    r, s = utils.decode_dss_signature(key.sign(payload, ec.ECDSA(hashes.SHA256())))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    both = {"payload": payload, "signature": signature}
    return json.dumps({k: base64.b64encode(v).decode() for k, v in both.items()}).encode()


def publish(folder: Path, target: str, content: dict[str, Any], private_key: bytes) -> list[str]:
    """Writes modules and then the manifest of a stage, so that players never see half of it.

    Args:
        folder: Where the modules lie.
        target: `s3://bucket/prefix`, or a folder.
        content: What the manifest says.
        private_key: The key in PEM.

    Returns:
        The names written, in order.

    Raises:
        InvalidParameterError: The key or the target makes no sense.
    """
    put = _bucket(target) if target.startswith("s3://") else _folder(Path(target))
    text = signed(content, private_key)
    written: list[str] = []
    for name, file in MODULES.items():
        place = f"modules/{content['modules'][name]['sha256']}.wasm"
        # What is named by its hash never changes.
        put(place, (folder / file).read_bytes(), "application/wasm", 31_536_000)
        written.append(place)
    place = f"{content['stage']}/manifest.json"
    put(place, text, "application/json", _SHORT_S)
    return [*written, place]


def _folder(root: Path) -> Put:
    def put(name: str, body: bytes, kind: str, age_s: int) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    return put


def _bucket(target: str) -> Put:
    import boto3

    parts = urlsplit(target)
    if not parts.netloc:
        raise InvalidParameterError(f"{target} names no bucket")
    prefix = parts.path.strip("/")
    client: Any = boto3.client("s3")  # pyright: ignore[reportUnknownMemberType]

    def put(name: str, body: bytes, kind: str, age_s: int) -> None:
        client.put_object(
            Bucket=parts.netloc,
            Key=f"{prefix}/{name}".lstrip("/"),
            Body=body,
            ContentType=kind,
            CacheControl=f"max-age={age_s}",
        )

    return put
