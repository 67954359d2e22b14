"""Queues for Label Studio and back: tasks with sound, video and frames, and its annotations.

Tasks name the evidence by `prefix`, where the team's Label Studio serves the queue's folder (local
files, a bucket). The score and why an item was chosen stay out of them. What is heard and what is
seen are two projects: each has an interface of its own.

Source: Label Studio's JSON formats of tasks and annotations, labelstud.io/guide/task_format and
labelstud.io/guide/export; frames of a timeline count from 1, labelstud.io/tags/timelinelabels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast
from xml.sax.saxutils import quoteattr

from defectscope.errors import MalformedRequestError
from defectscope.learning.brush import packed, unpacked
from defectscope.learning.items import ReviewItem
from defectscope.learning.labels import Label, now
from defectscope.learning.regions import around, box_of, mask_of, runs_of

ANSWERS = ("true", "false", "unsure")
Kind = Literal["sound", "video"]
# Sizes of the spectrogram and of a still: places are shares, and a size must stand beside them.
_SPECTROGRAM, _STILL = (900, 256), (960, 540)


def labeling_config(defects: Sequence[str], kind: Kind = "sound") -> str:
    """Returns the labeling interface: an answer, the defect's ends, its place.

    Args:
        defects: Names that a reviewer may give.
        kind: `sound`: ends on the waveform, places in the spectrogram. `video`: ends on a timeline,
            places in the frame, as rectangles or painted.
    """
    labels = "".join(f"<Label value={quoteattr(name)}/>" for name in defects)
    answers = "".join(f'<Choice value="{answer}"/>' for answer in ANSWERS)
    shown = (
        f'<Audio name="sound" value="$sound"/><Labels name="where" toName="sound">{labels}</Labels>'
        if kind == "sound"
        else '<Video name="film" value="$video" frameRate="$fps"/>'
        f'<TimelineLabels name="where" toName="film">{labels}</TimelineLabels>'
    )
    painted = f'<BrushLabels name="painted" toName="frame">{labels}</BrushLabels>'
    return (
        '<View><Header value="$question"/><Text name="what" value="$title"/>'
        f'<Choices name="answer" toName="what" required="true">{answers}</Choices>{shown}'
        '<Image name="frame" value="$frame"/>'
        f'<RectangleLabels name="region" toName="frame">{labels}</RectangleLabels>'
        f"{painted if kind == 'video' else ''}</View>"
    )


def tasks(
    items: Sequence[ReviewItem],
    prefix: str,
    margin_s: float,
    rates_hz: Mapping[str, float] | None = None,
) -> list[dict[str, Any]]:
    """Returns tasks to import into a project.

    Args:
        items: Of the queue.
        prefix: Address under which the queue's folder is served, without a slash at its end.
        margin_s: Programme before the interval in each clip.
        rates_hz: Frame rates of the clips of items that are looked at, by id; of others the sound
            is asked about.
    """
    out: list[dict[str, Any]] = []
    for item in items:
        question = f"Is there {item.defect.replace('_', ' ')}?" if item.defect else "What is wrong?"
        place = f"{prefix}/evidence/{item.id}"
        rate_hz = (rates_hz or {}).get(item.id)
        shown = (
            {"sound": f"{place}/clip.wav", "frame": f"{place}/spectrogram.jpg"}
            if rate_hz is None
            else {"video": f"{place}/clip.mp4", "fps": rate_hz, "frame": f"{place}/still.jpg"}
        )
        data = {
            "item": item.id,
            "question": question,
            "title": f"{item.title}, {item.start_s:.2f} to {item.end_s:.2f} s",
            **shown,
            "clip_start_s": max(0.0, item.start_s - margin_s),
        }
        out.append({"data": data})
    return out


def annotation(label: Label, task: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an answer as an annotation of its task."""
    data: Mapping[str, Any] = task["data"]
    answer = "true" if label.answer == "wrong_ends" else label.answer
    results: list[dict[str, Any]] = [
        _result("answer", "what", "choices", {"choices": [answer]}),
    ]
    if label.answer == "wrong_ends":
        results.append(_where(label, data))
    if label.mask:
        mask = mask_of(label.mask)
        value = {"format": "rle", "rle": packed(mask), "brushlabels": [label.defect]}
        size = {"original_width": mask.shape[1], "original_height": mask.shape[0]}
        results.append(_result("painted", "frame", "brushlabels", value) | size)
    elif label.region:
        x, y, width, height = (100 * share for share in label.region)
        box = {"x": x, "y": y, "width": width, "height": height}
        value = {**box, "rectanglelabels": [label.defect]}
        across, down = _STILL if "video" in data else _SPECTROGRAM
        size = {"original_width": across, "original_height": down}
        results.append(_result("region", "frame", "rectanglelabels", value) | size)
    return {"result": results, "created_at": label.at, "completed_by": {"email": label.reviewer}}


def labels_of(exported: Any, items: Mapping[str, ReviewItem]) -> list[Label]:
    """Returns the answers of an export (JSON) of a project.

    Of several marks of an answer the label has what is around them: from the first end to the last,
    the box around the boxes; painted masks are joined.

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
                    out.append(_label(item, one, task["data"]))
        except MalformedRequestError as error:
            raise MalformedRequestError(f"task {number} of the export: {error.message}") from None
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise MalformedRequestError(f"task {number} of the export: {error!r}") from None
    return out


def _where(label: Label, data: Mapping[str, Any]) -> dict[str, Any]:
    first_s = float(data["clip_start_s"])
    start_s, end_s = label.start_s - first_s, label.end_s - first_s
    if "video" not in data:
        ends = {"start": start_s, "end": end_s, "channel": 0}
        return _result("where", "sound", "labels", {**ends, "labels": [label.defect]})
    rate_hz = float(data["fps"])
    first = math.floor(max(0.0, start_s) * rate_hz + 1e-6) + 1
    last = max(first, math.ceil(end_s * rate_hz - 1e-6))
    value = {"ranges": [{"start": first, "end": last}], "timelinelabels": [label.defect]}
    return _result("where", "film", "timelinelabels", value)


def _label(item: ReviewItem, one: Mapping[str, Any], data: Mapping[str, Any]) -> Label:
    results: dict[str, list[Mapping[str, Any]]] = {}
    for result in one["result"]:
        # Relations between marks have no name of a control, and say nothing here.
        if "from_name" in result:
            results.setdefault(result["from_name"], []).append(result)
    answer = results["answer"][0]["value"]["choices"][0]
    if answer not in ANSWERS:
        raise ValueError(f"unknown answer {answer!r}")
    start_s, end_s, defect = item.start_s, item.end_s, item.defect
    region: tuple[float, ...] = ()
    mask: tuple[int, ...] = ()
    if "where" in results and answer == "true":
        defect, answer = _named(results["where"][0]), "wrong_ends"
        start_s, end_s = _ends(results["where"], data)
    if answer != "false":
        if "region" in results:
            defect = _named(results["region"][0])
            region = around([_box(result["value"]) for result in results["region"]])
        if "painted" in results:
            defect = _named(results["painted"][0])
            joined = _joined(results["painted"])
            mask, region = runs_of(joined), box_of(joined)
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
            "mask": mask,
        }
    )


def _ends(results: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> tuple[float, float]:
    first_s = float(data["clip_start_s"])
    ends: list[tuple[float, float]] = []
    for result in results:
        value = result["value"]
        if "ranges" in value:
            rate_hz = float(data["fps"])
            # The first frame of a timeline is 1, and its last is marked to its end.
            ends += [
                ((float(r["start"]) - 1) / rate_hz, float(r["end"]) / rate_hz)
                for r in value["ranges"]
            ]
        else:
            ends.append((float(value["start"]), float(value["end"])))
    return first_s + min(s for s, _ in ends), first_s + max(e for _, e in ends)


def _box(value: Mapping[str, Any]) -> tuple[float, ...]:
    return tuple(float(value[k]) / 100 for k in ("x", "y", "width", "height"))


def _joined(results: Sequence[Mapping[str, Any]]) -> Any:
    masks = [
        unpacked(r["value"]["rle"], int(r["original_width"]), int(r["original_height"]))
        for r in results
    ]
    if any(mask.shape != masks[0].shape for mask in masks):
        raise ValueError("masks of two sizes on one frame")
    joined = masks[0]
    for mask in masks[1:]:
        joined = joined | mask
    return joined


def _named(result: Mapping[str, Any]) -> str:
    """Returns the name that a mark has: its value keeps it under the kind of its control."""
    return str(result["value"][str(result.get("type", "labels"))][0])


def _result(name: str, to: str, kind: str, value: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": name, "from_name": name, "to_name": to, "type": kind, "value": dict(value)}
