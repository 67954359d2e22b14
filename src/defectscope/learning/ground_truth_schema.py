"""Holds lines of SageMaker Ground Truth's manifests against their documented form."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

from defectscope.errors import MalformedRequestError

# Types of built-in labeling jobs whose answers are read, and the form of each.
FORMS = {
    "groundtruth/image-classification": "classification",
    "groundtruth/video-classification": "classification",
    "groundtruth/image-classification-multilabel": "multilabel",
    "groundtruth/object-detection": "boxes",
}
_LONGEST_MESSAGE = 200


def check(form: str, document: Any, place: str) -> None:
    """Accepts a document or says what is wrong with it.

    Args:
        form: `input`, `categories`, `classification`, `multilabel` or `boxes`.
        document: The parsed JSON; of an answer `{"label": ..., "metadata": ...}`.
        place: What it is, for the message.

    Raises:
        MalformedRequestError: The worst fault, with its place.
    """
    from jsonschema.exceptions import best_match

    error = best_match(_validator(form).iter_errors(document))
    if error is not None:
        where = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in error.absolute_path)
        message = error.message[:_LONGEST_MESSAGE]
        raise MalformedRequestError(f"{place}{where and ': ' + where.lstrip('.')}: {message}")


@cache
def _validator(form: str) -> Any:
    from jsonschema import Draft202012Validator

    file = resources.files("defectscope.learning").joinpath("ground_truth.schema.json")
    schema = json.loads(file.read_text("utf-8"))
    return Draft202012Validator({"$defs": schema["$defs"], "$ref": f"#/$defs/{form}"})
