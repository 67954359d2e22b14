"""The image's way into the registry: built as SageMaker takes it, and read after the push."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from defectscope.deploy import image
from defectscope.deploy.calls import Transaction
from defectscope.deploy.image_manifest import DOCKER_MANIFEST
from defectscope.errors import DeployError, UsageError

ROOT = Path(__file__).parents[2]
OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"


class Registry:
    """A registry that holds, from the push on, a manifest of one kind."""

    def __init__(self, kind: str, config: str = DOCKER_CONFIG) -> None:
        layers = [{"size": 700_000_000}, {"size": 300_000_000}]
        self.manifest = {"config": {"mediaType": config}, "layers": layers}
        self.kind = kind
        self.pushed = False
        self.called: list[str] = []

    def find(self, call):
        if call.operation != "batch_get_image" or not self.pushed:
            return None
        assert DOCKER_MANIFEST in call.request["acceptedMediaTypes"]
        held = {
            "imageManifest": json.dumps(self.manifest),
            "imageManifestMediaType": self.kind,
            "imageId": {"imageDigest": "sha256:abc"},
        }
        return {"images": [held]}

    def call(self, call):
        self.called.append(call.operation)
        if call.operation == "get_authorization_token":
            entry = {"authorizationToken": "QVdTOnNlY3JldA==", "proxyEndpoint": "https://r"}
            return {"authorizationData": [entry]}
        return {}


def push(registry: Registry):
    ran: list[tuple[list[str], bytes | None]] = []
    shown: list[str] = []

    def run(command, stdin):
        ran.append((list(command), stdin))
        registry.pushed = registry.pushed or command[1] == "push"

    steps = Transaction(registry, show=shown.append)
    image.push_image(
        account_id="123456789012",
        region="eu-west-1",
        repository="defectscope",
        tag="t",
        accelerator="cpu",
        checkout=ROOT,
        transaction=steps,
        run=run,
    )
    return ran, shown, steps


def test_an_image_is_built_as_sagemaker_takes_it() -> None:
    command = image.build_command("a", "cpu", ROOT)
    assert command[:3] == ["docker", "buildx", "build"]
    assert {"--provenance=false", "--sbom=false"} <= set(command)
    assert command[command.index("--output") + 1] == "type=docker"
    assert command[command.index("--platform") + 1] == "linux/amd64"


def test_the_registrys_password_never_stands_on_a_command_line() -> None:
    ran, shown, steps = push(Registry(DOCKER_MANIFEST))
    assert [command[1] for command, _ in ran] == ["buildx", "login", "push"]
    assert ran[1][1] == b"secret"
    everything = json.dumps([c for c, _ in ran]) + "".join(shown) + steps.to_json()
    assert "secret" not in everything
    assert "QVdT" not in everything
    assert "image defectscope:t: 1.00 GB, sha256:abc" in shown


@pytest.mark.parametrize(
    ("kind", "config"),
    [(OCI, OCI_CONFIG), (INDEX, ""), (LIST, ""), (DOCKER_MANIFEST, OCI_CONFIG)],
)
def test_what_sagemaker_refuses_is_read_named_and_removed(kind, config) -> None:
    registry = Registry(kind, config)
    with pytest.raises(DeployError) as refused:
        push(registry)
    named = OCI_CONFIG if kind == DOCKER_MANIFEST else kind
    assert named in refused.value.message
    assert "--provenance=false" in refused.value.message
    assert registry.called[-1] == "batch_delete_image"


def test_what_is_there_is_not_built_again_but_read() -> None:
    registry = Registry(DOCKER_MANIFEST)
    registry.pushed = True
    assert push(registry)[0] == []
    registry.kind = OCI
    with pytest.raises(DeployError, match="removed again"):
        push(registry)


def test_the_tag_follows_the_contents(tmp_path) -> None:
    (tmp_path / "image").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "image/Dockerfile").write_text("FROM x")
    (tmp_path / "image/Dockerfile.dockerignore").write_text("*\n!src\n")
    (tmp_path / "src/a.py").write_text("a = 1")
    (tmp_path / "outside.txt").write_text("1")
    first = image.content_tag(tmp_path, "1.0", "cpu")
    assert first.startswith("1.0-cpu-")
    (tmp_path / "outside.txt").write_text("2")
    (tmp_path / "src/__pycache__").mkdir()
    (tmp_path / "src/__pycache__/a.pyc").write_text("x")
    assert image.content_tag(tmp_path, "1.0", "cpu") == first
    (tmp_path / "src/a.py").write_text("a = 2")
    assert image.content_tag(tmp_path, "1.0", "cpu") != first
    with pytest.raises(UsageError, match="no checkout"):
        image.content_tag(tmp_path / "src", "1.0", "cpu")


def test_the_index_of_cpu_builds_can_be_a_mirror() -> None:
    assert not any("TORCH_INDEX_URL" in part for part in image.build_command("a", "cpu", ROOT))
    index = "https://packages.example.com/cpu"
    built = image.build_command("a", "cpu", ROOT, index)
    assert built[built.index(f"TORCH_INDEX_URL={index}") - 1] == "--build-arg"
    # Without one the CPU build is taken from PyTorch's own index.
    text = (ROOT / "image/Dockerfile").read_text()
    assert 'ARG TORCH_INDEX_URL="https://' in text


@pytest.mark.parametrize(
    ("accelerator", "index"),
    [
        ("cuda", "https://packages.example.com/cpu"),
        ("cpu", "http://packages.example.com/cpu"),
        ("cpu", "https://user:secret@packages.example.com/cpu"),
    ],
)
def test_an_index_that_makes_no_sense_is_refused(accelerator, index) -> None:
    with pytest.raises(UsageError) as refused:
        image.build_command("a", accelerator, ROOT, index)
    assert "secret" not in str(refused.value)
