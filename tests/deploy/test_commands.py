"""Every command of docs/ and of the scripts' help runs as it stands there.

They run in a checkout with archives and a stand-in for AWS. What would make endpoints, images and
jobs prints its requests (`--dry-run` is added); what reads and writes S3 does so.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import boto3
import pytest

from defectscope.deploy.archives import MANIFEST, Archive

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs/deploy.md", ROOT / "docs/batch.md"]
SCRIPTS = sorted((ROOT / "sagemaker").glob("*.py"))
# These only read and write objects, or read an account.
AS_IT_IS = {"plan_transform", "collect_transform", "build_archives", "check_account"}


def _joined(text: str) -> list[str]:
    lines = text.replace("\\\\\n", " ").replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines]


def _of_page(page: Path) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
    return [line for block in blocks for line in _joined(block) if "sagemaker/" in line]


def _of_script(script: Path) -> list[str]:
    found = re.search(r'EXAMPLES = """(.*?)"""', script.read_text("utf-8"), re.S)
    return [x for x in _joined(found[1] if found else "") if x.startswith("python sagemaker/")]


COMMANDS = [
    pytest.param(line, id=f"{source.stem}-{number}")
    for source in (*PAGES, *SCRIPTS)
    for number, line in enumerate(
        _of_page(source) if source.suffix == ".md" else _of_script(source)
    )
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder like a checkout, and the environment of somebody who has done step 1."""
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    folder = tmp_path_factory.mktemp("checkout")
    for name in ("sagemaker", "image", "src", "handlers", "model_artifacts"):
        (folder / name).symlink_to(ROOT / name)
    for name in ("constraints.txt", "pyproject.toml", "README.md", "LICENSE"):
        (folder / name).symlink_to(ROOT / name)
    archives = folder / "archives"
    for name in ("all_detectors", "freeze"):
        (archives / name).mkdir(parents=True)
        (archives / name / "model.tar.gz").write_bytes(b"tar")
    entries = [
        Archive(name, "1.0", "0" * 64, f"{name}/{name}.mar", f"{name}/model.tar.gz", 3, "0" * 64)
        for name in ("all_detectors", "freeze")
    ]
    recorded = {"archives": [asdict(entry) for entry in entries]}
    (archives / MANIFEST).write_text(json.dumps(recorded))
    (folder / "titles.jsonl").write_text('{"uri": "s3://media/titles/a.mp4", "duration_s": 60}\n')
    shims = folder / "bin"
    shims.mkdir()
    (shims / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@" $DRY\n')
    (shims / "python").chmod(0o755)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    _, port = moto.get_host_and_port()
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    environment = {
        **kept,
        "PATH": f"{shims}:{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONWARNINGS": "ignore",
    }
    variables = re.findall(r"^export (\w+)=(\S+)$", PAGES[0].read_text("utf-8"), re.M)
    assert {"ROLE_ARN", "IMAGE", "AWS_REGION"} <= {name for name, _ in variables}
    environment |= dict(variables)
    session = boto3.Session("x", "y", region_name=environment["AWS_REGION"])
    s3 = session.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL"])
    for bucket in ("models", "qc-work", "media"):
        where = {"LocationConstraint": environment["AWS_REGION"]}
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
    for key in ("titles/a.mp4", "titles-av1/a.webm", "h264/a.mp4", "av1/a.webm"):
        s3.put_object(Bucket="media", Key=key, Body=b"no film")
    s3.close()
    yield folder, environment
    moto.stop()


def test_there_are_commands_of_every_script() -> None:
    text = " ".join(str(command.values[0]) for command in COMMANDS)
    without = {s.stem for s in SCRIPTS if f"sagemaker/{s.stem}.py" not in text}
    assert without <= {"build_archives"}


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_runs(command, place) -> None:
    folder, environment = place
    script = re.search(r"sagemaker/(\w+)\.py", command)[1]
    dry = "" if script in AS_IT_IS else "--dry-run"
    if script == "collect_transform":
        with contextlib.suppress(subprocess.CalledProcessError):
            plan = "python sagemaker/plan_transform.py s3://qc-work/november --list titles.jsonl"
            subprocess.run(
                ["sh", "-c", plan], cwd=folder, env={**environment, "DRY": ""}, capture_output=True
            )
    done = subprocess.run(
        ["sh", "-euc", command],
        cwd=folder,
        env={**environment, "DRY": dry},
        capture_output=True,
        text=True,
        timeout=120,
    )
    # An account that only stands in for one has no role and no image to be content with.
    assert done.returncode in ((0, 4) if script == "check_account" else (0,)), done.stderr[-2000:]
    assert "Traceback" not in done.stderr
