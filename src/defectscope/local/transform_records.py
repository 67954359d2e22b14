"""Cutting input objects into request payloads, and associating answers with their input."""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, cast

from defectscope.errors import LocalError
from defectscope.local.json_path import FilterError, compile_path

MEGABYTE = 1024 * 1024


class BadRecordError(LocalError):
    """A record is too large, is not JSON, or does not fit the filters."""


@dataclass(frozen=True)
class Payload:
    """What goes to the model in one request.

    Attributes:
        records: The records as they stood in the input, without line breaks.
        body: The request's body.
    """

    records: Sequence[bytes]
    body: bytes


def lines_of(file: IO[bytes], limit: int | None) -> Iterator[bytes]:
    """Yields the lines that are not blank, without their ends.

    Raises:
        BadRecordError: A line is longer than `limit` bytes.
    """
    while line := file.readline(-1 if limit is None else limit + 2):
        record = line.rstrip(b"\r\n")
        if limit is not None and len(record) > limit:
            raise BadRecordError(f"a record is larger than MaxPayloadInMB ({limit // MEGABYTE} MB)")
        if record.strip():
            yield record


def payloads(
    file: IO[bytes], size: int, *, split_by_line: bool, multi_record: bool, limit: int | None
) -> Iterator[Payload]:
    """Cuts an input object into payloads.

    Args:
        file: The object, at its start.
        size: Its size in bytes.
        split_by_line: SplitType Line; without it the object is one record.
        multi_record: BatchStrategy MultiRecord: as many records as fit go into one payload.
        limit: MaxPayloadInMB in bytes; None for no limit.

    Raises:
        BadRecordError: The object, or one of its lines, exceeds the limit.
    """
    if not split_by_line:
        if limit is not None and size > limit:
            raise BadRecordError(
                f"the object holds {size} bytes, more than MaxPayloadInMB ({limit // MEGABYTE} MB)"
            )
        content = file.read()
        yield Payload([content], content)
        return
    if not multi_record:
        for record in lines_of(file, limit):
            yield Payload([record], record)
        return
    batch: list[bytes] = []
    batch_size = 0
    # Without a limit a payload is still cut, so that memory stays bounded.
    room = limit if limit is not None else 100 * MEGABYTE
    for record in lines_of(file, limit):
        if batch and batch_size + len(record) + 1 > room + 1:
            yield Payload(batch, b"\n".join(batch))
            batch, batch_size = [], 0
        batch.append(record)
        batch_size += len(record) + 1
    if batch:
        yield Payload(batch, b"\n".join(batch))


def unpacked(file: IO[bytes]) -> tuple[IO[bytes], int]:
    """Unpacks a gzipped input to disk.

    Raises:
        BadRecordError: The input is not gzip.
    """
    target = tempfile.TemporaryFile()  # noqa: SIM115 - returned
    try:
        with file, gzip.open(file) as source:
            shutil.copyfileobj(source, target)
    except (OSError, EOFError):
        target.close()
        raise BadRecordError("the object is not gzip") from None
    size = target.tell()
    target.seek(0)
    return target, size


class DataProcessing:
    """Applies InputFilter, JoinSource and OutputFilter to JSON and JSON-lines records.

    Args:
        config: DataProcessing of the transform job.

    Raises:
        FilterError: A filter is not a supported JSONPath.
    """

    def __init__(self, config: dict[str, str]) -> None:
        input_path = config.get("InputFilter") or "$"
        output_path = config.get("OutputFilter") or "$"
        self._input = compile_path(input_path) if input_path != "$" else None
        self._output = compile_path(output_path) if output_path != "$" else None
        self._join = config.get("JoinSource") == "Input"

    @property
    def active(self) -> bool:
        """Whether records are looked into at all."""
        return bool(self._input or self._output or self._join)

    def before(self, payload: Payload) -> Payload:
        """Returns the payload that the model sees.

        Raises:
            BadRecordError: A record is not JSON or lacks what the filter selects.
        """
        if self._input is None:
            return payload
        selected: list[bytes] = []
        for record in payload.records:
            try:
                selected.append(_dump(self._input(_load(record))))
            except FilterError as error:
                raise BadRecordError(f"InputFilter: {error}") from None
        return Payload(payload.records, b"\n".join(selected))

    def after(self, payload: Payload, answer: bytes, *, by_line: bool) -> list[bytes]:
        """Returns the output records for one payload, joined and filtered.

        Raises:
            BadRecordError: The answers are not JSON, or not as many as the records.
        """
        if not (self._join or self._output):
            return [answer]
        answers = [line for line in answer.splitlines() if line.strip()] if by_line else [answer]
        if len(answers) != len(payload.records):
            raise BadRecordError(
                f"the model gave {len(answers)} answers to {len(payload.records)} records, "
                "so they cannot be associated"
            )
        results: list[bytes] = []
        for record, text in zip(payload.records, answers, strict=True):
            value = _load(text)
            if self._join:
                value = _joined(_load(record), value)
            try:
                results.append(_dump(self._output(value) if self._output else value))
            except FilterError as error:
                raise BadRecordError(f"OutputFilter: {error}") from None
        return results


def _joined(record: Any, answer: Any) -> dict[str, Any]:
    """Adds the answer to its input.

    Source: API_DataProcessing, JoinSource: SageMakerOutput beside the input's own members, or
    beside SageMakerInput where the input is no object.
    """
    if isinstance(record, dict):
        return {**cast("dict[str, Any]", record), "SageMakerOutput": answer}
    return {"SageMakerInput": record, "SageMakerOutput": answer}


def _load(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise BadRecordError("a record or its answer is not JSON") from None


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
