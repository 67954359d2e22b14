"""Hands a queue to a labeling tool as files, and takes its answers into the queue."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from defectscope.errors import InvalidParameterError, MalformedRequestError
from defectscope.learning import ground_truth, label_studio
from defectscope.learning.evidence import FILES, MARGIN_S
from defectscope.learning.items import ReviewItem, by_id, read_items, write_atomically
from defectscope.learning.labels import Label, LabelFile
from defectscope.learning.queue_folder import read_facts
from defectscope.media import open_media

TOOLS = ("label_studio", "ground_truth")
# What a worker of Ground Truth is shown where the caller names nothing: the first that there is.
_SHOWN = ("clip.mp4", "spectrogram.jpg", "strip.jpg")
_MOST_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Handed:
    """What was written for a tool.

    Attributes:
        files: Written, in the folder that was named.
        items: How many questions they hold.
        left: How many were left out, for want of the file that is shown.
    """

    files: tuple[str, ...]
    items: int
    left: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of an import.

    Attributes:
        added: New answers.
        known: Answers that the queue had already.
        by_machine: Answers of a tool's own model, left out.
        failed: Questions that the tool has no answer to.
    """

    added: int
    known: int
    by_machine: int = 0
    failed: int = 0


def export_queue(
    folder: Path, out: Path, tool: str, prefix: str, file: str | None = None
) -> Handed:
    """Writes what a labeling tool imports.

    Args:
        folder: Of the queue.
        out: Folder for the files.
        tool: `label_studio` or `ground_truth`.
        prefix: Where the tool finds the queue's folder: s3://BUCKET/KEY, an address, a folder.
        file: Which of each item's evidence a worker of Ground Truth is shown.

    Raises:
        InvalidParameterError: No such tool, or no item has the file.
        MalformedRequestError: The folder holds no queue, or a damaged one.
    """
    _known_tool(tool)
    if not prefix or any(c in prefix for c in "\r\n"):
        raise InvalidParameterError("the prefix says where the tool finds the queue's folder")
    items, facts = read_items(folder), read_facts(folder)
    asked = {item.detector for item in items}
    defects = sorted({d for name, own in facts.defects.items() if name in asked for d in own})
    if not items:
        raise InvalidParameterError(f"{folder}: the queue has no items")
    if tool == "label_studio":
        files = _projects(folder, items, prefix.rstrip("/"), defects)
        left = 0
    else:
        shown, name = _shown(folder, items, file)
        files = {
            "input.manifest": ground_truth.input_manifest(shown, prefix, name),
            "label_categories.json": json.dumps(ground_truth.categories(defects), indent=1) + "\n",
        }
        left = len(items) - len(shown)
    for name, text in files.items():
        write_atomically(out / name, text.encode())
    return Handed(tuple(files), len(items) - left, left)


def import_answers(folder: Path, path: Path, tool: str, attribute: str | None = None) -> Taken:
    """Takes a tool's answers into a queue; the same file twice adds nothing.

    Args:
        folder: Of the queue.
        path: The export of a project (JSON), or the output manifest of a labeling job.
        tool: `label_studio` or `ground_truth`.
        attribute: Ground Truth's label attribute name.

    Raises:
        InvalidParameterError: No such tool.
        MalformedRequestError: The file cannot be read, is no such export, or names an item or a
            defect that the queue does not have; nothing of it is taken then.
    """
    _known_tool(tool)
    items = by_id(read_items(folder))
    text = _text(path)
    if tool == "label_studio":
        try:
            body = json.loads(text)
        except ValueError:
            raise MalformedRequestError(f"{path}: not JSON") from None
        found = ground_truth.Answers(tuple(label_studio.labels_of(body, items)), 0, 0)
    else:
        found = ground_truth.labels_of(text.splitlines(), items, attribute)
    _check_defects(found.labels, items, read_facts(folder).defects)
    file = LabelFile(folder)
    there = {(label.item, label.reviewer, label.at) for label in file.every()}
    fresh = [x for x in found.labels if (x.item, x.reviewer, x.at) not in there]
    if fresh:
        file.add(fresh)
    return Taken(len(fresh), len(found.labels) - len(fresh), found.by_machine, found.failed)


def _projects(
    folder: Path, items: Sequence[ReviewItem], prefix: str, defects: Sequence[str]
) -> dict[str, str]:
    """Returns the files of a project for what is heard, and of one for what is seen."""
    rates_hz: dict[str, float] = {}
    for item in items:
        clip = folder / "evidence" / item.id / "clip.mp4"
        if clip.is_file():
            with open_media(clip) as reader:
                video = reader.info.video
                if video is not None and video.frame_rate:
                    rates_hz[item.id] = float(video.frame_rate)
    files: dict[str, str] = {}
    kinds: tuple[label_studio.Kind, ...] = ("sound", "video")
    for kind in kinds:
        own = [item for item in items if (item.id in rates_hz) == (kind == "video")]
        if own:
            tasks = label_studio.tasks(own, prefix, MARGIN_S, rates_hz)
            files[f"tasks_{kind}.json"] = json.dumps(tasks, indent=1) + "\n"
            files[f"labeling_config_{kind}.xml"] = (
                label_studio.labeling_config(defects, kind) + "\n"
            )
    return files


def _known_tool(tool: str) -> None:
    if tool not in TOOLS:
        raise InvalidParameterError(f"a labeling tool is {' or '.join(TOOLS)}, not {tool[:40]!r}")


def _shown(
    folder: Path, items: Sequence[ReviewItem], file: str | None
) -> tuple[list[ReviewItem], str]:
    if file is not None and file not in FILES:
        raise InvalidParameterError(f"evidence is {', '.join(FILES)}, not {file[:40]!r}")
    own: list[ReviewItem] = []
    for name in [file] if file else _SHOWN:
        own = [i for i in items if (folder / "evidence" / i.id / name).is_file()]
        if own:
            return own, name
    raise InvalidParameterError(
        f"no item of {folder} has {file or ' or '.join(_SHOWN)}: draw its evidence first "
        "(defectscope queue with the media at hand)"
    )


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise MalformedRequestError(f"{path}: over {_MOST_BYTES} bytes is no export of a queue")
        return path.read_text("utf-8-sig")
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise MalformedRequestError(f"{path}: {reason}") from None
    except UnicodeDecodeError:
        raise MalformedRequestError(f"{path}: not UTF-8") from None


def _check_defects(
    labels: Sequence[Label], items: Mapping[str, ReviewItem], known: Mapping[str, Sequence[str]]
) -> None:
    for label in labels:
        item = items[label.item]
        if label.defect and label.defect not in {*known.get(item.detector, ()), item.defect}:
            raise MalformedRequestError(
                f"{item.title}: {item.detector} has no defect {label.defect[:60]!r}"
            )
