"""One command publishes a version that players verify."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from defectscope.player.__main__ import main

pytest.importorskip("cryptography", reason="signing needs cryptography")


@pytest.fixture
def key(tmp_path: Path) -> tuple[Path, str]:
    """A private key, and its public one as players are given it."""
    import base64

    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "key.pem"
    file.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return file, base64.b64encode(public).decode()


def modules(folder: Path) -> Path:
    folder.mkdir()
    for name in ("kernel.wasm", "decisions.wasm"):
        (folder / name).write_bytes(name.encode())
    return folder


def arguments(folder: Path, target: str, key: Path) -> list[str]:
    return [
        "publish", str(folder), target, "--stage", "canary", "--version", "7", "--percentage", "5",
        "--key", str(key),
    ]  # fmt: skip


def test_the_player_verifies_what_was_published(
    tmp_path: Path, key: tuple[Path, str], player: Path
) -> None:
    folder = modules(tmp_path / "dist")
    assert main(arguments(folder, str(tmp_path / "out"), key[0])) == 0
    text = (tmp_path / "out" / "canary" / "manifest.json").read_text("utf-8")
    script = (
        "import { verified } from './src/rollout.js';"
        "const [text, key] = JSON.parse(process.argv[1]);"
        "console.log(JSON.stringify(await verified(text, key)));"
    )
    ran = subprocess.run(
        ["node", "--input-type=module", "-e", script, json.dumps([text, key[1]])],
        cwd=player, capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    manifest = json.loads(ran.stdout)
    assert (manifest["version"], manifest["percentage"], manifest["kill"]) == ("7", 5, False)
    for name, module in manifest["modules"].items():
        written = tmp_path / "out" / "canary" / module["url"]
        assert written.read_bytes() == f"{name}.wasm".encode()


def test_a_bucket_gets_the_manifest_last(
    tmp_path: Path, key: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    moto = pytest.importorskip("moto", reason="moto is not installed")
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with moto.mock_aws():
        client = boto3.client("s3")
        client.create_bucket(
            Bucket="players", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        assert main(arguments(modules(tmp_path / "dist"), "s3://players/v1", key[0])) == 0
        names = [each["Key"] for each in client.list_objects_v2(Bucket="players")["Contents"]]
        assert "v1/canary/manifest.json" in names
        assert sum(name.startswith("v1/modules/") for name in names) == 2
        head = client.head_object(Bucket="players", Key="v1/canary/manifest.json")
        assert head["CacheControl"] == "max-age=60"


@pytest.mark.parametrize("percentage", ["-1", "101"])
def test_no_share_is_no_share(
    tmp_path: Path, key: tuple[Path, str], percentage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = [
        *arguments(modules(tmp_path / "dist"), str(tmp_path), key[0]),
        "--percentage",
        percentage,
    ]
    assert main(wrong) == 2
    assert "percentage" in capsys.readouterr().err
