"""Queues for SageMaker Ground Truth and back: the input manifest and categories, its output.

A line names one file of an item's evidence by `source-ref`; `item`, `detector` and `clip-start-s`
stand beside it and come back unchanged. The score and why an item was chosen stay out.

Source: Amazon SageMaker Developer Guide, sms-input-data-input-manifest and sms-data-output.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from defectscope.errors import InvalidParameterError, MalformedRequestError
from defectscope.findings import Interval
from defectscope.learning.evidence import MARGIN_S
from defectscope.learning.ground_truth_schema import FORMS, check
from defectscope.learning.items import ReviewItem
from defectscope.learning.labels import Label
from defectscope.learning.regions import around

# What a worker says where no defect is, or where it cannot be said.
NOTHING, CANNOT_SAY = "nothing", "cannot_say"
# Trust in an answer whose confidence the job states as 0: as much as one of two workers.
_UNSTATED = 0.5
# Source: the same guide, of a line of an input manifest, characters.
_MOST_CHARACTERS = 100_000
_ATTRIBUTE = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9_])*")
_ADDRESS = re.compile(r"(?:.*/)?evidence/([0-9a-f]{16})/[^/]+")


@dataclass(frozen=True, slots=True)
class Answers:
    """What an output manifest says.

    Attributes:
        labels: Answers, an item each.
        by_machine: Lines that the job labelled by a model of its own: no reviewer said so, and
            they are left out.
        failed: Lines without an answer.
    """

    labels: tuple[Label, ...]
    by_machine: int
    failed: int


def input_manifest(items: Sequence[ReviewItem], prefix: str, file: str) -> str:
    """Returns an input manifest, a line for each item.

    Args:
        items: Of the queue.
        prefix: Where its folder lies: s3://BUCKET/KEY, or a folder for tools that read locally.
        file: Which of its evidence is shown, as `clip.mp4`.

    Raises:
        InvalidParameterError: There is no item, or the address is longer than is allowed.
    """
    if not items:
        raise InvalidParameterError(f"no item of this queue has {file}")
    lines: list[str] = []
    for item in items:
        row = {
            "source-ref": f"{prefix.rstrip('/')}/evidence/{item.id}/{file}",
            "item": item.id,
            "detector": item.detector,
            "asked": item.defect,
            "title": item.title,
            "clip-start-s": round(max(0.0, item.start_s - MARGIN_S), 3),
            "start-s": item.start_s,
            "end-s": item.end_s,
        }
        line = json.dumps(row, allow_nan=False)
        try:
            check("input", row, item.title)
        except MalformedRequestError as error:
            raise InvalidParameterError(error.message) from None
        if len(line) > _MOST_CHARACTERS:
            raise InvalidParameterError(f"{item.title[:60]}: the title is too long for a manifest")
        lines.append(line + "\n")
    return "".join(lines)


def categories(defects: Iterable[str]) -> dict[str, Any]:
    """Returns the document of a job's `LabelCategoryConfigS3Uri`.

    Args:
        defects: Names that a worker may give; that nothing is there, and that it cannot be said,
            are added.
    """
    names = [*dict.fromkeys(defects), NOTHING, CANNOT_SAY]
    return {"document-version": "2018-11-28", "labels": [{"label": name} for name in names]}


def labels_of(
    lines: Iterable[str], items: Mapping[str, ReviewItem], attribute: str | None = None
) -> Answers:
    """Returns the answers of an output manifest.

    Args:
        lines: Of the file.
        items: Of the queue, by id.
        attribute: The job's label attribute name; None where each line has one alone.

    Raises:
        MalformedRequestError: A line is not as documented, or names an item that the queue lacks;
            names the line.
        InvalidParameterError: No attribute can be called so.
    """
    if attribute is not None and (
        not _ATTRIBUTE.fullmatch(attribute) or attribute.endswith(("-metadata", "-ref"))
    ):
        raise InvalidParameterError(f"no label attribute of these jobs is {attribute[:60]!r}")
    out: list[Label] = []
    by_machine = failed = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"line {number} of the manifest"
        row = _row(line, place)
        item = _item(row, items, place)
        name = attribute or _attribute(row, place)
        metadata: Any = row.get(f"{name}-metadata")
        if not isinstance(metadata, Mapping):
            raise MalformedRequestError(f"{place}: no {name}-metadata")
        known = cast("Mapping[str, Any]", metadata)
        if "failure-reason" in known or row.get(name) is None:
            failed += 1
            continue
        form = FORMS.get(str(known.get("type")))
        if form is None:
            raise MalformedRequestError(
                f"{place}: answers of type {str(known.get('type'))[:60]!r} are not read; "
                f"{', '.join(FORMS)} are"
            )
        check(form, {"label": row[name], "metadata": dict(known)}, place)
        if known["human-annotated"] == "no":
            by_machine += 1
        else:
            out.append(_READ[form](item, row[name], known, place))
    return Answers(tuple(out), by_machine, failed)


def _row(line: str, place: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        raise MalformedRequestError(f"{place}: not JSON") from None
    if not isinstance(row, Mapping):
        raise MalformedRequestError(f"{place}: not a JSON object")
    return cast("Mapping[str, Any]", row)


def _item(row: Mapping[str, Any], items: Mapping[str, ReviewItem], place: str) -> ReviewItem:
    found = _ADDRESS.fullmatch(str(row.get("source-ref", "")))
    name = row.get("item") or (found.group(1) if found else "")
    item = items.get(name) if isinstance(name, str) else None
    if item is None:
        raise MalformedRequestError(f"{place}: no item of this queue")
    return item


def _attribute(row: Mapping[str, Any], place: str) -> str:
    names = [k.removesuffix("-metadata") for k in row if k.endswith("-metadata")]
    if len(names) != 1:
        raise MalformedRequestError(
            f"{place}: {len(names)} jobs have answered; name one with its label attribute"
        )
    return names[0]


def _classified(item: ReviewItem, label: Any, metadata: Mapping[str, Any], place: str) -> Label:
    del label
    return _label(item, str(metadata["class-name"]), float(metadata["confidence"]), metadata, place)


def _multilabel(
    item: ReviewItem, label: Sequence[Any], metadata: Mapping[str, Any], place: str
) -> Label:
    names = [_class(metadata, index, place) for index in label]
    defects = [n for n in names if n not in (NOTHING, CANNOT_SAY)]
    # A label is about one defect: the one that was asked about, or the first that is there.
    name = item.defect if item.defect in defects else next(iter([*defects, *names]), NOTHING)
    place_of = {n: str(index) for n, index in zip(names, label, strict=True)}
    sure: Mapping[str, Any] = metadata.get("confidence-map", {})
    return _label(item, name, float(sure.get(place_of.get(name, ""), 0.0)), metadata, place)


def _boxed(
    item: ReviewItem, label: Mapping[str, Any], metadata: Mapping[str, Any], place: str
) -> Label:
    boxes: Sequence[Mapping[str, Any]] = label["annotations"]
    if not boxes:
        return _label(item, NOTHING, 0.0, metadata, place)
    names = [_class(metadata, box["class_id"], place) for box in boxes]
    name = item.defect if item.defect in names else names[0]
    own = [box for box, n in zip(boxes, names, strict=True) if n == name]
    size = label["image_size"][0]
    width, height = size["width"], size["height"]
    region = around(
        [
            (b["left"] / width, b["top"] / height, b["width"] / width, b["height"] / height)
            for b in own
        ]
    )
    sure = [float(o.get("confidence", 0.0)) for o in metadata["objects"]]
    confidence = max(sure, default=0.0)
    return _label(item, name, confidence, metadata, place, region)


_READ = {"classification": _classified, "multilabel": _multilabel, "boxes": _boxed}


def _class(metadata: Mapping[str, Any], index: Any, place: str) -> str:
    name = metadata["class-map"].get(str(index))
    if name is None:
        raise MalformedRequestError(f"{place}: class {str(index)[:20]} is not in its class-map")
    return str(name)


def _label(
    item: ReviewItem,
    name: str,
    confidence: float,
    metadata: Mapping[str, Any],
    place: str,
    region: tuple[float, ...] = (),
) -> Label:
    there = name not in (NOTHING, CANNOT_SAY)
    where: Interval = item.interval
    made = str(metadata["creation-date"])
    body = {
        "item": item.id,
        "answer": "true" if there else "false" if name == NOTHING else "unsure",
        "defect": name if there else "",
        "start_s": where.start_s,
        "end_s": where.end_s,
        "reviewer": reviewer_of(str(metadata["job-name"])),
        # The guide's dates are in UTC and do not say so.
        "at": made if re.search(r"(Z|[+-]\d\d:?\d\d)$", made) else f"{made}+00:00",
        "version": item.version,
        "source": "ground_truth",
        "trust": confidence if confidence > 0 and math.isfinite(confidence) else _UNSTATED,
        "region": region if there else (),
    }
    try:
        return Label.from_dict(body)
    except MalformedRequestError as error:
        raise MalformedRequestError(f"{place}: {error.message}") from None


def reviewer_of(job: str) -> str:
    """Returns the reviewer that a labeling job's consolidated answers are kept under."""
    name = job.removeprefix("labeling-job/")
    plain = re.sub(r"[^A-Za-z0-9_.-]", "-", name)
    if len(plain) > 29 or plain != name:
        # Two long names of jobs stay two reviewers.
        plain = f"{plain[:20]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return f"gt-{plain}"
