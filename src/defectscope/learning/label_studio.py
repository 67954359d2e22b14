"""Queues for Label Studio and back: tasks with sound, frames and regions, and its annotations.

Tasks name the evidence by `prefix`, where the team's Label Studio serves the queue's folder (local
files, a bucket). The score and why an item was chosen stay out of them.

Source: Label Studio's JSON formats of tasks and annotations, labelstud.io/guide/task_format and
labelstud.io/guide/export.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from xml.sax.saxutils import quoteattr

from defectscope.errors import MalformedRequestError
from defectscope.learning.items import ReviewItem
from defectscope.learning.labels import Label, now

ANSWERS = ("true", "false", "unsure")


def labeling_config(defects: Sequence[str]) -> str:
    """Returns the labeling interface: an answer, the defect's ends in the sound, its place.

    Args:
        defects: Names that a reviewer may give.
    """
    labels = "".join(f"<Label value={quoteattr(name)}/>" for name in defects)
    answers = "".join(f'<Choice value="{answer}"/>' for answer in ANSWERS)
    return (
        '<View><Header value="$question"/><Text name="what" value="$title"/>'
        f'<Choices name="answer" toName="what" required="true">{answers}</Choices>'
        '<Audio name="sound" value="$sound"/>'
        f'<Labels name="where" toName="sound">{labels}</Labels>'
        '<Image name="frame" value="$frame"/>'
        f'<RectangleLabels name="region" toName="frame">{labels}</RectangleLabels></View>'
    )


def tasks(items: Sequence[ReviewItem], prefix: str, margin_s: float) -> list[dict[str, Any]]:
    """Returns tasks to import into a project.

    Args:
        items: Of the queue.
        prefix: Address under which the queue's folder is served, without a slash at its end.
        margin_s: Programme before the interval in each clip.
    """
    out: list[dict[str, Any]] = []
    for item in items:
        question = f"Is there {item.defect.replace('_', ' ')}?" if item.defect else "What is wrong?"
        place = f"{prefix}/evidence/{item.id}"
        data = {
            "item": item.id,
            "question": question,
            "title": f"{item.title}, {item.start_s:.2f} to {item.end_s:.2f} s",
            "sound": f"{place}/clip.wav",
            "frame": f"{place}/spectrogram.jpg",
            "clip_start_s": max(0.0, item.start_s - margin_s),
        }
        out.append({"data": data})
    return out


def annotation(label: Label, task: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an answer as an annotation of its task."""
    answer = "true" if label.answer == "wrong_ends" else label.answer
    results: list[dict[str, Any]] = [
        _result("answer", "what", "choices", {"choices": [answer]}),
    ]
    if label.answer == "wrong_ends":
        first_s = float(task["data"]["clip_start_s"])
        ends = {"start": label.start_s - first_s, "end": label.end_s - first_s, "channel": 0}
        results.append(_result("where", "sound", "labels", {**ends, "labels": [label.defect]}))
    if label.region:
        x, y, width, height = (100 * share for share in label.region)
        box = {"x": x, "y": y, "width": width, "height": height}
        value = {**box, "rectanglelabels": [label.defect]}
        size = {"original_width": 900, "original_height": 256}
        results.append(_result("region", "frame", "rectanglelabels", value) | size)
    return {"result": results, "created_at": label.at, "completed_by": {"email": label.reviewer}}


def labels_of(exported: Any, items: Mapping[str, ReviewItem]) -> list[Label]:
    """Returns the answers of an export (JSON) of a project.

    Args:
        exported: The parsed file.
        items: Of the queue, by id.

    Raises:
        MalformedRequestError: It is no such export, or it names an item that the queue lacks.
    """
    if not isinstance(exported, list):
        raise MalformedRequestError("an export of Label Studio is a list of tasks")
    out: list[Label] = []
    for number, task in enumerate(cast("list[Any]", exported)):
        try:
            item = items[task["data"]["item"]]
            for one in task["annotations"]:
                if not one.get("was_cancelled"):
                    out.append(_label(item, one, float(task["data"]["clip_start_s"])))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise MalformedRequestError(f"task {number} of the export: {error!r}") from None
    return out


def _label(item: ReviewItem, one: Mapping[str, Any], first_s: float) -> Label:
    values = {r["from_name"]: r["value"] for r in one["result"]}
    answer = values["answer"]["choices"][0]
    if answer not in ANSWERS:
        raise ValueError(f"unknown answer {answer!r}")
    start_s, end_s, defect, region = item.start_s, item.end_s, item.defect, ()
    if "where" in values and answer == "true":
        where = values["where"]
        defect, answer = str(where["labels"][0]), "wrong_ends"
        start_s, end_s = first_s + float(where["start"]), first_s + float(where["end"])
    if "region" in values and answer != "false":
        box = values["region"]
        defect = str(box["rectanglelabels"][0])
        region = tuple(float(box[k]) / 100 for k in ("x", "y", "width", "height"))
    by = one.get("completed_by", "ls")
    who = by.get("email", "ls") if isinstance(by, Mapping) else f"ls-{by}"
    return Label.from_dict(
        {
            "item": item.id,
            "answer": answer,
            "defect": defect if answer in ("true", "wrong_ends") else "",
            "start_s": start_s,
            "end_s": end_s,
            # An address in full is more than is needed to tell reviewers apart.
            "reviewer": str(who).split("@")[0],
            "at": one.get("created_at") or now(),
            "version": item.version,
            "source": "label_studio",
            "region": region,
        }
    )


def _result(name: str, to: str, kind: str, value: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": name, "from_name": name, "to_name": to, "type": kind, "value": dict(value)}
