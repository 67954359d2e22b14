from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

DOCS = "https://docs.aws.amazon.com/sagemaker/latest/"
CREATE = DOCS + "APIReference/API_CreateTransformJob.html"
DESCRIBE = DOCS + "APIReference/API_DescribeTransformJob.html"
LIST = DOCS + "APIReference/API_ListTransformJobs.html"
STOP = DOCS + "APIReference/API_StopTransformJob.html"
INPUT = DOCS + "APIReference/API_TransformInput.html"
OUTPUT = DOCS + "APIReference/API_TransformOutput.html"
SOURCE = DOCS + "APIReference/API_TransformS3DataSource.html"
RETRIES = DOCS + "APIReference/API_ModelClientConfig.html"
GUIDE = DOCS + "dg/batch-transform.html"
JOIN = DOCS + "dg/batch-transform-data-processing.html"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def submit(target, echo_model):
    """Starts a transform job over objects and gives its name."""

    def start(source: str, *, stem: str, **more) -> str:
        name = target.name(stem)
        data_type = more.pop("data_type", "S3Prefix")
        request = {
            "TransformJobName": name,
            "ModelName": echo_model,
            "TransformInput": {
                "DataSource": {"S3DataSource": {"S3DataType": data_type, "S3Uri": source}},
                **more.pop("input", {}),
            },
            "TransformOutput": {
                "S3OutputPath": f"s3://{target.bucket}/{name}/",
                **more.pop("output", {}),
            },
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            **more,
        }
        target.client("sagemaker").create_transform_job(**request)
        return name

    return start


def outputs(target, job: str) -> dict[str, bytes]:
    return {k: target.get(f"s3://{target.bucket}/{job}/{k}") for k in target.keys(f"{job}/")}


@pytest.fixture(scope="module")
def joined_job(target, submit):
    """JSON lines in two files, several records a request, filtered and joined."""
    base = target.name("lines")
    for name, ids in (("a.jsonl", range(3)), ("sub/b.jsonl", range(10, 12))):
        lines = [json.dumps({"id": i, "keep": {"n": i * 2}}) for i in ids]
        target.put(f"{base}/{name}", "\n".join(lines).encode() + b"\n")
    name = submit(
        f"s3://{target.bucket}/{base}/",
        stem="joined",
        input={"ContentType": "application/jsonlines", "SplitType": "Line"},
        output={"Accept": "application/jsonlines", "AssembleWith": "Line"},
        BatchStrategy="MultiRecord",
        MaxConcurrentTransforms=2,
        MaxPayloadInMB=1,
        DataProcessing={
            "InputFilter": "$.keep",
            "JoinSource": "Input",
            "OutputFilter": "$['id','SageMakerOutput']",
        },
    )
    early = target.client("sagemaker").describe_transform_job(TransformJobName=name)
    return name, early, target.job_ended(name)


@pytest.mark.documented(DESCRIBE)
def test_a_job_goes_from_in_progress_to_completed_and_shows_its_request(joined_job):
    _, early, ended = joined_job
    assert early["TransformJobStatus"] == "InProgress"
    assert "TransformEndTime" not in early
    assert ended["TransformJobStatus"] == "Completed", ended.get("FailureReason")
    assert ended["CreationTime"] <= ended["TransformStartTime"] <= ended["TransformEndTime"]
    assert ended["BatchStrategy"] == "MultiRecord"
    assert ended["MaxConcurrentTransforms"] == 2
    assert ended["TransformInput"]["SplitType"] == "Line"
    assert ended["DataProcessing"]["JoinSource"] == "Input"


@pytest.mark.documented(JOIN)
def test_records_are_filtered_joined_and_filtered_again(joined_job, target):
    found = outputs(target, joined_job[0])
    records = [json.loads(line) for line in found["a.jsonl.out"].splitlines()]
    assert records == [
        {"id": i, "SageMakerOutput": {"seen": {"n": i * 2}, "of": 3}} for i in range(3)
    ]
    # `of` counts the records of a request: one request a file, as MultiRecord packs them.
    assert json.loads(found["sub/b.jsonl.out"].splitlines()[0])["SageMakerOutput"]["of"] == 2


@pytest.mark.documented(OUTPUT)
def test_outputs_keep_names_below_the_prefix_and_end_with_out(joined_job, target):
    assert sorted(target.keys(f"{joined_job[0]}/")) == ["a.jsonl.out", "sub/b.jsonl.out"]


@pytest.mark.documented(LIST)
def test_list_finds_jobs_by_name_and_state(joined_job, target):
    name = joined_job[0]
    sagemaker = target.client("sagemaker")
    found = sagemaker.list_transform_jobs(NameContains=name, StatusEquals="Completed")
    assert [job["TransformJobName"] for job in found["TransformJobSummaries"]] == [name]
    found = sagemaker.list_transform_jobs(NameContains=name, StatusEquals="Failed")
    assert not found["TransformJobSummaries"]


@pytest.mark.documented(STOP)
def test_an_ended_job_cannot_be_stopped(joined_job, target):
    with pytest.raises(ClientError) as caught:
        target.client("sagemaker").stop_transform_job(TransformJobName=joined_job[0])
    assert caught.value.response["Error"]["Code"] == "ValidationException"


@pytest.fixture(scope="module")
def mixed_job(target, submit):
    """Whole objects from a manifest: some fine, one refused, one too large, one missing."""
    base = target.name("whole")
    bodies = {
        "fine.txt": b"several\nlines\n",
        "deep/die.txt": b"die-once worker",
        "refused.txt": b"refuse 422",
        "large.bin": b"x" * (1024 * 1024 + 1),
    }
    for name, body in bodies.items():
        target.put(f"{base}/{name}", body)
    manifest = [{"prefix": f"s3://{target.bucket}/{base}/"}, *bodies, "missing.txt"]
    uri = target.put(f"{base}.manifest", json.dumps(manifest).encode())
    name = submit(
        uri,
        stem="mixed",
        data_type="ManifestFile",
        input={"ContentType": "text/plain"},
        output={"Accept": "text/plain"},
        BatchStrategy="SingleRecord",
        MaxConcurrentTransforms=2,
        MaxPayloadInMB=1,
        ModelClientConfig={"InvocationsTimeoutInSeconds": 30, "InvocationsMaxRetries": 3},
    )
    return name, target.job_ended(name)


@pytest.mark.documented(OUTPUT)
def test_failed_objects_fail_the_job_and_the_others_are_kept(mixed_job, target):
    name, ended = mixed_job
    assert ended["TransformJobStatus"] == "Failed"
    assert ended["FailureReason"]
    found = outputs(target, name)
    assert sorted(found) == ["deep/die.txt.out", "fine.txt.out"]
    assert found["fine.txt.out"] == b"SEVERAL\nLINES\n"


@pytest.mark.documented(RETRIES)
def test_a_request_whose_worker_died_is_tried_again(mixed_job, target):
    assert outputs(target, mixed_job[0])["deep/die.txt.out"] == b"survived"


@pytest.mark.documented(SOURCE)
def test_a_manifest_names_objects_below_its_prefix(mixed_job, target):
    assert "deep/die.txt.out" in target.keys(f"{mixed_job[0]}/")


@pytest.fixture(scope="module")
def ordered_job(target, submit):
    """Single records, several in flight, the first of them slow; text, so without filters."""
    base = target.name("single")
    lines = [b"sleep 1.5", *(f"record {i}".encode() for i in range(20))]
    target.put(f"{base}/records.txt", b"\n".join(lines))
    target.put(f"{base}/bad.txt", b"good\nrefuse 400\ngood\n")
    name = submit(
        f"s3://{target.bucket}/{base}/",
        stem="ordered",
        input={"ContentType": "text/plain", "SplitType": "Line"},
        output={"AssembleWith": "Line"},
        BatchStrategy="SingleRecord",
        MaxConcurrentTransforms=4,
        MaxPayloadInMB=1,
    )
    return name, target.job_ended(name)


@pytest.mark.documented(INPUT)
def test_single_records_keep_their_order(ordered_job, target):
    content = outputs(target, ordered_job[0])["records.txt.out"]
    assert content.splitlines() == [b"slept", *(f"RECORD {i}".encode() for i in range(20))]


@pytest.mark.documented(GUIDE)
def test_one_bad_record_leaves_its_object_without_output(ordered_job, target):
    name, ended = ordered_job
    assert ended["TransformJobStatus"] == "Failed"
    assert target.keys(f"{name}/") == ["records.txt.out"]


@pytest.mark.documented(STOP)
def test_a_stopped_job_stores_nothing(target, submit):
    base = target.name("stopped")
    target.put(f"{base}/0.txt", b"quick")
    for i in range(1, 12):
        target.put(f"{base}/{i:02}.txt", b"sleep 3")
    name = submit(
        f"s3://{target.bucket}/{base}/",
        stem="stopped",
        MaxConcurrentTransforms=1,
        MaxPayloadInMB=1,
    )
    sagemaker = target.client("sagemaker")
    target.wait(
        lambda: "TransformStartTime" in sagemaker.describe_transform_job(TransformJobName=name)
    )
    sagemaker.stop_transform_job(TransformJobName=name)
    status = sagemaker.describe_transform_job(TransformJobName=name)["TransformJobStatus"]
    assert status in ("Stopping", "Stopped")
    ended = target.job_ended(name)
    assert ended["TransformJobStatus"] == "Stopped"
    assert "TransformEndTime" in ended
    assert target.keys(f"{name}/") == []


@pytest.mark.documented(CREATE)
def test_a_job_over_nothing_fails_with_a_reason(target, submit):
    ended = target.job_ended(submit(f"s3://{target.bucket}/nothing-here/", stem="nothing"))
    assert ended["TransformJobStatus"] == "Failed"
    assert ended["FailureReason"].startswith("ClientError")


@pytest.mark.documented(CREATE)
def test_create_refuses_a_name_in_use(joined_job, target, echo_model):
    described = target.client("sagemaker").describe_transform_job(TransformJobName=joined_job[0])
    members = ("TransformJobName", "ModelName", "TransformInput", "TransformOutput")
    request = {key: described[key] for key in (*members, "TransformResources")}
    with pytest.raises(ClientError) as caught:
        target.client("sagemaker").create_transform_job(**request)
    assert caught.value.response["Error"]["Code"] == "ResourceInUse"


@pytest.mark.documented(CREATE)
@pytest.mark.parametrize(
    "wrong",
    [{"MaxPayloadInMB": 101}, {"MaxPayloadInMB": 60, "MaxConcurrentTransforms": 2}],
)
def test_create_refuses_payloads_beyond_100_mb(target, submit, wrong):
    with pytest.raises(ClientError) as caught:
        submit(f"s3://{target.bucket}/x/", stem="refused", **wrong)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.documented(DESCRIBE)
def test_a_missing_job_is_not_found(target):
    for operation in ("describe_transform_job", "stop_transform_job"):
        with pytest.raises(ClientError) as caught:
            getattr(target.client("sagemaker"), operation)(TransformJobName="there-is-none")
        assert caught.value.response["Error"]["Code"] in ("ResourceNotFound", "ValidationException")
