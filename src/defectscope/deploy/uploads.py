"""Archives and documents into S3, under names that change with their contents."""

from __future__ import annotations

from pathlib import Path

from defectscope.client.transport import split_s3
from defectscope.deploy.calls import Call, Transaction
from defectscope.errors import DeployError, UsageError


def upload_archive(
    path: Path,
    prefix: str,
    *,
    name: str,
    content_sha256: str,
    transaction: Transaction,
    kms_key_id: str | None = None,
) -> str:
    """Puts a model.tar.gz into S3 unless the same contents are there; returns its address.

    Raises:
        DeployError: The file is not there, or S3 refused it.
        UsageError: The prefix is no s3:// address.
    """
    if not path.is_file():
        raise DeployError(f"there is no archive {path}: build_archives makes it")
    bucket, key = place(f"{prefix.rstrip('/')}/{name}/{content_sha256[:16]}/model.tar.gz")
    address = f"s3://{bucket}/{key}"
    head = Call("s3", "head_object", {"Bucket": bucket, "Key": key})
    if not transaction.dry_run and transaction.account.find(head) is not None:
        return address
    request = {"Bucket": bucket, "Key": key, "ContentType": "application/gzip"}
    if kms_key_id:
        request |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key_id}
    noted = Call("s3", "put_object", {**request, "Body": f"<{path.name}, {path.stat().st_size} B>"})
    if transaction.dry_run:
        transaction.calls.append(noted)
        return address
    with path.open("rb") as body:
        transaction.account.call(Call("s3", "put_object", {**request, "Body": body}))
    transaction.calls.append(noted)
    return address


def upload_text(text: str, address: str, *, transaction: Transaction) -> str:
    """Puts a JSON document into S3 and gives its address."""
    bucket, key = place(address)
    request = {"Bucket": bucket, "Key": key, "Body": text, "ContentType": "application/json"}
    transaction.run(Call("s3", "put_object", request), f"{address}: written")
    return address


def place(address: str) -> tuple[str, str]:
    """Returns bucket and key of an s3:// address.

    Raises:
        UsageError: It is none.
    """
    try:
        return split_s3(address)
    except ValueError as error:
        raise UsageError(str(error)) from None
