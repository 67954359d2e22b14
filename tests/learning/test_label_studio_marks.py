"""What is marked in Label Studio: timelines of video, painted masks, several marks of an answer."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from defectscope.errors import InvalidParameterError, MalformedRequestError
from defectscope.findings import Interval
from defectscope.learning import brush, label_studio, regions
from defectscope.learning.evidence import draw
from defectscope.learning.exchange import export_queue, import_answers
from defectscope.learning.items import ReviewItem, by_id, item_id, read_items, write_items
from defectscope.learning.labels import Label, LabelFile, now

BLOCKS = "block_corruption"
RATE_HZ = 25.0


def item(start_s: float, end_s: float) -> ReviewItem:
    number = item_id("impaired.mp4", BLOCKS, BLOCKS, Interval(start_s, end_s))
    return ReviewItem(
        number, "impaired.mp4", BLOCKS, BLOCKS, start_s, end_s, "finding", 0.7, "0.4.0",
        reason="suspicious", round=1,
    )  # fmt: skip


def painted(seed: int, height: int = 54, width: int = 96) -> regions.Mask:
    """A few blocks, as damage has them."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((height, width), bool)
    for _ in range(4):
        y, x = rng.integers(0, height - 8), rng.integers(0, width - 16)
        mask[y : y + 8, x : x + 16] = True
    return mask


def task_of(own: ReviewItem) -> dict[str, Any]:
    return label_studio.tasks([own], "x", 1.0, {own.id: RATE_HZ})[0]


def label(own: ReviewItem, **change: Any) -> Label:
    base = {
        "item": own.id, "answer": "true", "defect": BLOCKS, "start_s": own.start_s,
        "end_s": own.end_s, "reviewer": "kn", "at": now(), "source": "label_studio",
    }  # fmt: skip
    return Label(**{**base, **change})


def back(own: ReviewItem, task: dict[str, Any], *annotations: Any) -> list[Label]:
    return label_studio.labels_of([{**task, "annotations": list(annotations)}], {own.id: own})


@pytest.mark.parametrize("seed", range(30))
def test_masks_are_what_they_were(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(v) for v in rng.integers(1, 40, 2))
    mask = rng.random((height, width)) < rng.choice([0, 0.1, 0.5, 0.95, 1])
    assert (regions.mask_of(regions.runs_of(mask)) == mask).all()
    assert (brush.unpacked(brush.packed(mask), width, height) == mask).all()


def test_label_studios_own_converter_reads_and_writes_the_same_masks() -> None:
    converter = pytest.importorskip("label_studio_sdk.converter.brush")
    for seed in range(12):
        mask = painted(seed) if seed else np.zeros((5, 7), bool)
        height, width = mask.shape
        read = converter.decode_rle(brush.packed(mask)).reshape(height, width, 4)
        assert ((read[:, :, 3] > 0) == mask).all()
        written = converter.encode_rle(np.repeat(mask.ravel(), 4).astype(np.uint8) * 255)
        assert (brush.unpacked(written, width, height) == mask).all()


@pytest.mark.parametrize(
    ("rle", "width", "height"),
    [
        ([], 4, 4),
        ([1, 2, 3], 4, 4),
        (brush.packed(np.ones((4, 4), bool))[:-2], 4, 4),
        (brush.packed(np.ones((4, 4), bool)), 5, 4),
        ([300, 1], 4, 4),
        (["x"], 4, 4),
        ([255] * 40, 1 << 14, 1 << 14),
        ([0, 0, 0, 64] + [255] * 40, 4, 4),
    ],
)
def test_a_damaged_mask_is_refused(rle: list[Any], width: int, height: int) -> None:
    with pytest.raises(MalformedRequestError):
        brush.unpacked(rle, width, height)


@pytest.mark.parametrize("runs", [(4, 4, 15), (4, 4), (-1, -16, 16), (0, 0, 0), ("a", 1, 1)])
def test_a_label_with_a_damaged_mask_is_refused(runs: Any) -> None:
    with pytest.raises(InvalidParameterError):
        label(item(2.0, 3.0), mask=runs)


@pytest.mark.parametrize("seed", range(6))
def test_ends_and_masks_of_video_come_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    own = item(2.0, 3.0)
    start_s = round(float(rng.uniform(1.0, 2.5)), 3)
    given = label(
        own, answer="wrong_ends", start_s=start_s, end_s=start_s + 0.7,
        mask=regions.runs_of(painted(seed)),
    )  # fmt: skip
    task = task_of(own)
    (found,) = back(own, task, label_studio.annotation(given, task))
    assert (found.answer, found.defect) == ("wrong_ends", BLOCKS)
    # A timeline has whole frames: ends move outwards by less than one.
    assert 0 <= given.start_s - found.start_s < 1 / RATE_HZ
    assert 0 <= found.end_s - given.end_s < 1 / RATE_HZ
    assert found.mask == given.mask
    assert found.region == pytest.approx(regions.box_of(painted(seed)))
    assert Label.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    # What came back goes and comes again unchanged.
    (again,) = back(own, task, label_studio.annotation(found, task))
    assert (again.start_s, again.end_s) == pytest.approx((found.start_s, found.end_s))


def test_several_marks_become_what_is_around_them() -> None:
    own = item(2.0, 3.0)
    task = task_of(own)
    one = label_studio.annotation(label(own, answer="wrong_ends", start_s=1.4, end_s=1.8), task)
    ranges = [{"start": 11, "end": 20}, {"start": 31, "end": 35}]
    one["result"][1]["value"]["ranges"] = ranges
    for mask in (painted(1), painted(2)):
        mark = label_studio.annotation(label(own, mask=regions.runs_of(mask)), task)["result"][1]
        one["result"].append(mark)
    one["result"].append({"type": "relation", "from_id": "a", "to_id": "b"})
    (found,) = back(own, task, one)
    assert (found.start_s, found.end_s) == pytest.approx((1.0 + 0.4, 1.0 + 1.4))
    assert (regions.mask_of(found.mask) == (painted(1) | painted(2))).all()
    boxes = label_studio.annotation(label(own, region=(0.1, 0.1, 0.1, 0.1)), task)
    other = label_studio.annotation(label(own, region=(0.5, 0.3, 0.2, 0.1)), task)
    boxes["result"].append(other["result"][1])
    (found,) = back(own, task, boxes)
    assert found.region == pytest.approx((0.1, 0.1, 0.6, 0.3))


@pytest.mark.parametrize("fps", [0, None, "x"])
def test_a_timeline_without_a_rate_is_refused(fps: Any) -> None:
    own = item(2.0, 3.0)
    task = task_of(own)
    one = label_studio.annotation(label(own, answer="wrong_ends"), task)
    task["data"]["fps"] = fps
    with pytest.raises(MalformedRequestError):
        back(own, task, one)


def test_masks_of_two_sizes_are_refused() -> None:
    own = item(2.0, 3.0)
    task = task_of(own)
    one = label_studio.annotation(label(own, mask=regions.runs_of(painted(1))), task)
    other = label(own, mask=regions.runs_of(painted(1, 60, 80)))
    one["result"].append(label_studio.annotation(other, task)["result"][1])
    with pytest.raises(MalformedRequestError, match="two sizes"):
        back(own, task, one)


@pytest.mark.slow
def test_label_studio_itself_accepts_the_interface_of_video() -> None:
    interface = pytest.importorskip("label_studio_sdk.label_interface")
    config = label_studio.labeling_config([BLOCKS], "video")
    checks = interface.LabelInterface(config)
    own = item(2.0, 3.0)
    task = task_of(own)
    assert checks.validate_task({"data": task["data"]})
    lacking = copy.deepcopy(task["data"])
    del lacking["video"]
    assert not checks.validate_task({"data": lacking})
    one = label_studio.annotation(label(own, region=(0.1, 0.2, 0.3, 0.4)), task)
    assert checks.validate_annotation(one)
    one["result"][1]["value"]["rectanglelabels"] = ["football"]
    assert not checks.validate_annotation(one)
    # Its check knows no timelines, and takes masks for another format than its own converter does
    # (see above), so of these it can say no more than which names a control has.
    assert checks.get_control("where").labels == [BLOCKS]
    assert checks.get_control("painted").labels == [BLOCKS]


@pytest.mark.slow
def test_a_queue_of_video_goes_out_with_its_rates_and_stills(
    queue: Path, impaired_clip: Path, tmp_path: Path
) -> None:
    own = item(2.0, 2.6)
    sounds = len(read_items(queue))
    write_items(queue, [*read_items(queue), own])
    files = draw(queue, own, impaired_clip, about_sound=False)
    assert {"clip.mp4", "still.jpg"} <= set(files)
    made = export_queue(queue, tmp_path / "out", "label_studio", "/data/review")
    assert made.items == sounds + 1
    (task,) = json.loads((tmp_path / "out" / "tasks_video.json").read_text("utf-8"))
    assert task["data"]["fps"] == RATE_HZ
    assert task["data"]["frame"] == f"/data/review/evidence/{own.id}/still.jpg"
    assert len(json.loads((tmp_path / "out" / "tasks_sound.json").read_text("utf-8"))) == sounds
    given = label(own, answer="wrong_ends", start_s=2.0, end_s=2.6,
                  mask=regions.runs_of(painted(3)))  # fmt: skip
    export = [{**task, "annotations": [label_studio.annotation(given, task)]}]
    (tmp_path / "export.json").write_text(json.dumps(export), "utf-8")
    assert import_answers(queue, tmp_path / "export.json", "label_studio").added == 1
    (kept,) = LabelFile(queue).current()
    assert kept.mask == given.mask
    assert by_id(read_items(queue))[kept.item] == own
