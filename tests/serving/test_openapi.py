from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

from defectscope import errors
from defectscope.errors import DefectscopeError, EndpointError
from defectscope.serving import codec
from defectscope.serving.codec import read_line

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return yaml.safe_load((DOCS / "openapi.yaml").read_text("utf-8"))


def answerable() -> dict[str, type[DefectscopeError]]:
    """Every error that a request can end in, by code."""
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, DefectscopeError)
    ]
    elsewhere = (EndpointError, errors.DeployError, errors.LocalError, errors.SettingError)
    return {k.code: k for k in kinds if not issubclass(k, elsewhere)}


def test_the_document_is_valid(document: Any):
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    # The validator bites: a document without its title is none.
    without = {**document, "info": {"version": document["info"]["version"]}}
    assert list(OpenAPIV31SpecValidator(without).iter_errors())


def test_every_code_and_status_is_described(document: Any):
    assert set(document["components"]["schemas"]["Code"]["enum"]) == set(answerable())
    responses = document["paths"]["/invocations"]["post"]["responses"]
    statuses = {str(kind.http_status) for kind in answerable().values()}
    assert set(responses) == {"200", *statuses}


def test_the_page_for_people_lists_codes_with_the_status_they_have():
    text = (DOCS / "endpoint.md").read_text("utf-8")
    known = {code: kind.http_status for code, kind in answerable().items()}
    listed = {
        code: int(status)
        for status, cell in re.findall(r"^\| (\d{3}) \| ([^|]+) \|", text, re.MULTILINE)
        for code in re.findall(r"`(\w+)`", cell)
    }
    # Roots of the tree are raised as one of their kinds.
    roots = {"usage", "media_error", "serving_error"}
    assert listed == {code: status for code, status in known.items() if code not in roots}


def test_records_have_the_fields_that_the_codec_reads(document: Any):
    schemas = document["components"]["schemas"]
    fields = {*schemas["Record"]["properties"], *schemas["Merge"]["properties"]}
    assert fields == set(codec._READERS)  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("record", "valid"),
    [
        ('{"uri": "s3://b/k", "start_s": 1, "end_s": 2, "detectors": ["freeze"], "id": 3}', True),
        ('{"uri": "s3://b/k", "measurements": true, "parameters": {"freeze": {}}}', True),
        ('{"start_s": 1}', False),
        ('{"uri": "s3://b/k", "start_s": -1}', False),
        ('{"uri": "s3://b/k", "detectors": []}', False),
        ('{"uri": "s3://b/k", "surprise": 1}', False),
    ],
)
def test_document_and_codec_agree_about_records(document: Any, record: Any, valid: Any):
    schema = {"$ref": "#/components/schemas/Record", "components": document["components"]}
    described = jsonschema.Draft202012Validator(schema).is_valid(yaml.safe_load(record))
    try:
        read_line(record.encode())
        understood = True
    except DefectscopeError:
        understood = False
    assert described == understood == valid
