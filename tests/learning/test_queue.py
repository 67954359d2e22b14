"""Candidates, rounds, queues and labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from defectscope.errors import InvalidParameterError, MalformedRequestError
from defectscope.findings import Report
from defectscope.learning import queue_folder
from defectscope.learning.agreement import agreement, settled
from defectscope.learning.candidates import candidates
from defectscope.learning.items import ReviewItem, read_items
from defectscope.learning.labels import LABELS, Label, LabelFile, now
from defectscope.learning.rounds import choose

HISS = "audio_hiss"
Maker = Callable[..., Report]


def item(k: int, score: float, *, title: str = "", origin: str = "finding",
         where: tuple[float, ...] = ()) -> ReviewItem:  # fmt: skip
    return ReviewItem(f"{k:016x}", title or f"t{k}", "audio_artifacts", HISS, 0.0, 4.0,
                      origin, score, "1", where)  # fmt: skip  # type: ignore[arg-type]


def label(of: str, answer: str, by: str = "kn", defect: str = HISS) -> Label:
    return Label(of, answer, defect, 0.0, 1.0, by, now())  # type: ignore[arg-type]


def test_findings_near_misses_and_random_pieces_are_candidates(title: Maker) -> None:
    found = candidates(title("a.wav", 1, confidence=0.8), np.random.default_rng(1))
    by_origin = {c.origin: c for c in found}
    assert by_origin["finding"].score == 0.8
    assert {c.title for c in found} == {"a.wav"}
    assert len(by_origin["finding"].embedding) > 0
    # The curve is high only where the finding is: there is no near miss beside it.
    assert "near_miss" not in by_origin
    (near,) = (
        c for c in candidates(title("a.wav", 1), np.random.default_rng(1))
        if c.origin == "near_miss"
    )  # fmt: skip
    assert near.score == pytest.approx(0.3)
    quiet = candidates(title("a.wav", 1), np.random.default_rng(1))
    assert [c.defect for c in quiet if c.origin == "random"] == ["", ""]
    assert 2.0 <= near.start_s < near.end_s <= 8.0


def test_a_round_has_its_shares_and_one_item_of_a_title() -> None:
    offered = [item(k, k / 100, title=f"t{k // 2}") for k in range(100)]
    chosen = choose(offered, 12, 1).items
    reasons = [c.reason for c in chosen]
    assert [reasons.count(r) for r in ("suspicious", "uncertain", "random")] == [6, 4, 2]
    active = [c.title for c in chosen if c.reason != "random"]
    assert len(set(active)) == len(active)
    sure = [c.score for c in chosen if c.reason == "suspicious"]
    assert min(sure) > 0.8
    assert all(abs(c.score - 0.5) < 0.15 for c in chosen if c.reason == "uncertain")


def test_a_round_takes_unlike_items_before_twins() -> None:
    twins = [item(k, 0.9, where=(5.0, 5.0)) for k in range(20)]
    other = item(99, 0.6, where=(-40.0, 3.0))
    chosen = choose([*twins, other], 3, 2).items
    assert other.id in {c.id for c in chosen}


def test_the_random_share_estimates_precision_without_bias() -> None:
    # Right more often where the score is high: the suspicious ones alone would flatter.
    offered = [item(k, k / 400) for k in range(400)]
    right = {c.id: np.random.default_rng(int(c.id, 16)).uniform() < c.score for c in offered}
    truth = np.mean(list(right.values()))
    drawn: list[bool] = []
    for seed in range(15):
        own = choose(offered, 60, seed)
        drawn += [right[c.id] for c in own.items if c.reason == "random"]
    assert abs(np.mean(drawn) - truth) < 0.08
    sure = [right[c.id] for c in choose(offered, 60, 1).items if c.reason == "suspicious"]
    assert np.mean(sure) > truth + 0.2


def test_labelled_items_are_not_asked_again(queue: Path, title: Maker) -> None:
    first = read_items(queue)
    again = [title(f"t{k:02d}.wav", k, confidence=0.7) for k in range(16)]
    chosen = queue_folder.add_round(queue, again, count=12)
    assert not {c.id for c in chosen.items} & {c.id for c in first}
    assert len(read_items(queue)) == len(first) + len(chosen.items)
    assert {c.round for c in chosen.items} == {2}


def test_a_queue_holds_no_path_and_says_how_long_it_may_be_kept(queue: Path) -> None:
    for path in queue.rglob("*"):
        if path.is_file():
            assert b"jane" not in path.read_bytes()
    facts = queue_folder.read_facts(queue)
    (queue / "evidence" / "x").mkdir(parents=True)
    assert not queue_folder.prune(queue, facts.keep_until)
    assert queue_folder.prune(queue, facts.keep_until + timedelta(days=1))
    assert not (queue / "evidence").exists()
    assert read_items(queue)


@pytest.mark.parametrize(
    "change",
    [{"id": "../../etc"}, {"score": float("nan")}, {"score": "high"}, {"origin": "guess"},
     {"end_s": -1.0}, {"embedding": ["x"]}, {"title": 3}],
)  # fmt: skip
def test_a_damaged_queue_is_refused_by_line(queue: Path, change: dict[str, object]) -> None:
    own = read_items(queue)
    lines = [json.dumps(own[0].to_dict()), json.dumps(own[1].to_dict() | change)]
    (queue / "items.jsonl").write_text("\n".join(lines))
    with pytest.raises(MalformedRequestError, match="line 2"):
        read_items(queue)


def test_two_titles_of_one_name_are_refused(tmp_path: Path, title: Maker) -> None:
    with pytest.raises(InvalidParameterError, match=r"a\.wav"):
        queue_folder.add_round(tmp_path, [title("a.wav", 1), title("a.wav", 2)], count=6)


def test_a_torn_line_is_no_answer_and_takes_nothing_with_it(tmp_path: Path) -> None:
    labels = LabelFile(tmp_path)
    labels.add([label("a" * 16, "true")])
    with (tmp_path / LABELS).open("ab") as file:
        file.write(b'{"item": "bbbb')
    labels.add([label("c" * 16, "false")])
    assert [x.item[0] for x in LabelFile(tmp_path).current()] == ["a", "c"]


def test_the_last_answer_counts_until_it_is_taken_back(tmp_path: Path) -> None:
    labels = LabelFile(tmp_path)
    labels.add([label("a" * 16, "true"), label("a" * 16, "false"), label("b" * 16, "true")])
    labels.add([label("b" * 16, "undone")])
    assert [(x.item[0], x.answer) for x in labels.current()] == [("a", "false")]
    assert len(labels.every()) == 4


def test_two_reviewers_agree_by_cohen(tmp_path: Path) -> None:
    said = [("true", "true")] * 4 + [("false", "false")] * 4 + [("true", "false")] * 2
    labels = [label(f"{k:016x}", answer, by) for k, pair in enumerate(said)
              for by, answer in zip(("a", "b"), pair, strict=True)]  # fmt: skip
    (own,) = agreement(labels)
    # By hand: 0.8 alike, 0.6 * 0.4 + 0.4 * 0.6 by chance.
    assert own.kappa == pytest.approx((0.8 - 0.48) / 0.52)
    assert own.kappa_interval[0] < own.kappa < own.kappa_interval[1]
    clear, disputed = settled(labels)
    assert (len(clear), len(disputed)) == (8, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"reviewer": "Jane Doe"},
        {"trust": 0.0},
        {"start_s": 5.0},
        {"region": (0.0, 0.0, 2.0, 1.0)},
        {"answer": "perhaps"},
    ],
)
def test_a_label_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidParameterError):
        replace(label("a" * 16, "true"), **wrong)  # type: ignore[arg-type]
