"""SageMaker on this machine, the archives for it, and the scripts pointed at it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from defectscope.deploy.archives import build_archives
from defectscope.local import LocalSageMaker

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def cloud():
    with LocalSageMaker() as running:
        s3 = running.client("s3")
        for bucket in ("media", "models", "qc-work"):
            s3.create_bucket(Bucket=bucket)
        s3.close()
        yield running


@pytest.fixture(scope="session")
def archives(tmp_path_factory):
    """Builds an archive, taking over what `make archives` has built from the same sources."""
    folder = tmp_path_factory.mktemp("archives")
    if (ROOT / "archives").is_dir():
        shutil.copytree(ROOT / "archives", folder, dirs_exist_ok=True)

    def built(name: str) -> Path:
        build_archives(folder, [name])
        return folder

    return built


@pytest.fixture(scope="session")
def cloud_environment(cloud):
    """What the environment of a caller looks like: credentials, a region, one address."""
    mine = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") or "CA" in k}
    return {
        **mine,
        "AWS_ENDPOINT_URL": cloud.endpoint_url,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONWARNINGS": "ignore",
    }


@pytest.fixture(scope="session")
def script(cloud_environment):
    def call(name: str, *arguments: str, sdk: bool = False):
        options = [] if sdk else ["--boto3"]
        done = subprocess.run(
            [sys.executable, str(ROOT / "sagemaker" / f"{name}.py"), *arguments, *options],
            capture_output=True,
            text=True,
            env=cloud_environment,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done

    return call
