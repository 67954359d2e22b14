from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from defectscope.errors import InvalidParameterError, MediaNotFoundError
from defectscope.monitor.config import read_config
from defectscope.monitor.config_source import config_source
from defectscope.monitor.config_text import of_channels
from defectscope.monitor.plan import UTILISATION, as_json, cores_of, packed, template

REGION = "eu-central-1"


def document(names: tuple[str, ...]) -> str:
    return "".join(
        f'[[channel]]\nname = "{name}"\nurl = "udp://@239.1.2.3:{5000 + k}"\n'
        for k, name in enumerate(names)
    )


def test_a_format_costs_what_it_shows() -> None:
    # What was measured of four formats, and 0.03 for the transport.
    measured = {"720p25": 0.245, "1080p25": 0.375, "1080p50": 0.54, "2160p25": 0.78}
    for raster, cores in measured.items():
        assert cores_of(raster) == pytest.approx(cores, rel=0.15)
    assert cores_of("720p25", 0.02) - cores_of("720p25") == pytest.approx(0.04, abs=0.01)
    assert cores_of("1280x720p25") == cores_of("720p25")
    assert cores_of("1080p25") < cores_of("1080p50") < cores_of("2160p50")
    for wrong in ("", "1080", "p25", "1080p", "axbp25"):
        with pytest.raises(InvalidParameterError):
            cores_of(wrong)


def test_channels_fit_and_none_is_left_out() -> None:
    cores = {f"c{n}": cores_of(("720p25", "1080p25", "1080p50")[n % 3]) for n in range(1000)}
    groups = packed(cores, 4)
    assert sorted(n for g in groups for n in g.names) == sorted(cores)
    assert all(g.cores <= 4 * UTILISATION for g in groups)
    # No worse than a tenth above what the sum would need.
    assert len(groups) <= 1.1 * sum(cores.values()) / (4 * UTILISATION) + 1
    with pytest.raises(InvalidParameterError, match="takes"):
        packed({"big": 3.0}, 2)
    with pytest.raises(InvalidParameterError, match="Fargate"):
        packed(cores, 3)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield


@pytest.mark.slow
def test_the_template_is_one_that_ecs_takes(aws: None, tmp_path: Path) -> None:
    cores = {f"c{n}": cores_of("720p25") for n in range(50)}
    groups = packed(cores, 4)
    made = template(groups, [document(g.names) for g in groups], 4, "image:1")
    path = tmp_path / "live.json"
    path.write_text(as_json(made))
    checked = subprocess.run(
        [sys.executable, "-m", "cfnlint", "--format", "json", str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert json.loads(checked.stdout or "[]") == []
    ec2 = boto3.client("ec2", REGION)
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    boto3.client("cloudformation", REGION).create_stack(
        StackName="live",
        TemplateBody=path.read_text(),
        Parameters=[
            {"ParameterKey": "SubnetIds", "ParameterValue": subnet},
            {"ParameterKey": "SecurityGroupIds", "ParameterValue": group},
        ],
        Capabilities=["CAPABILITY_IAM"],
    )
    ecs = boto3.client("ecs", REGION)
    cluster = ecs.list_clusters()["clusterArns"][0]
    services = ecs.list_services(cluster=cluster, maxResults=100)["serviceArns"]
    assert len(services) == len(groups)
    described = ecs.describe_services(cluster=cluster, services=services[:1])["services"][0]
    task = ecs.describe_task_definition(taskDefinition=described["taskDefinition"])
    container = task["taskDefinition"]["containerDefinitions"][0]
    # What the task will read is what this group watches.
    text, _ = config_source(container["command"][1]).read()
    watched = set(read_config(text).channels)
    assert watched in [set(g.names) for g in groups]


def test_a_configuration_comes_from_s3(aws: None) -> None:
    s3 = boto3.client("s3", REGION)
    where = {"LocationConstraint": REGION}
    s3.create_bucket(Bucket="plans", CreateBucketConfiguration=where)
    s3.put_object(Bucket="plans", Key="live/channels.toml", Body=document(("a",)).encode())
    source = config_source("s3://plans/live/channels.toml")
    text, first = source.read()
    assert list(read_config(text).channels) == ["a"]
    s3.put_object(Bucket="plans", Key="live/channels.toml", Body=document(("a", "b")).encode())
    assert source.read()[1] != first
    with pytest.raises(MediaNotFoundError):
        config_source("s3://plans/nothing").read()
    with pytest.raises(MediaNotFoundError):
        config_source("ssm://nothing").read()


def test_a_document_is_taken_apart() -> None:
    text = """
# common
[monitor]
step_s = 1.0
[[channel]]
name = "a"   # first
url = "udp://127.0.0.1:1000"
[channel.parameters.loudness]
target_lufs = -24.0
[[channel]]
name = "b"
url = "udp://127.0.0.1:1002"
format = "720p50"
"""
    a, b = (read_config(of_channels(text, [name])).channels for name in "ab")
    assert list(a) == ["a"]
    assert a["a"].parameters == {"loudness": {"target_lufs": -24.0}}
    assert b["b"].format == "720p50"
    assert b["b"].pace.step_s == 1.0
    assert of_channels(text, "ab").count("[[channel]]") == 2
