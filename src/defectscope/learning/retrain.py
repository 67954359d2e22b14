"""Labels -> manifest -> fit -> gate -> a version of the detector, or a refusal that says why."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from defectscope.engine.artifacts import DOCUMENT
from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.learning import evaluation
from defectscope.learning.anchored import Example, present
from defectscope.learning.evaluation import Difference
from defectscope.learning.held_out import HeldOut, uncovered
from defectscope.learning.items import write_atomically
from defectscope.learning.learners import LEARNERS, Learner
from defectscope.learning.manifest import Labelled, Manifest
from defectscope.learning.queue_folder import measurements_of

SUPPORTED = tuple(LEARNERS)
# Below so many events of a defect an interval over titles says little, and the card says so.
FEW_EVENTS = 10
COMPARISON = "comparison.json"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a fit.

    Attributes:
        artifact: The candidate's detector.json.
        comparison: Differences by defect and measure, on the titles held out.
        events: Events of each defect in them.
        worse: In what the candidate is worse beyond its interval; empty for one that is accepted.
        left: Defects that were not changed, since no title held out has an event of them.
        used: How many labels taught.
        unusable: How many could not, since the queue has no measurements of their titles.
    """

    artifact: Mapping[str, Any]
    comparison: Mapping[str, Mapping[str, Difference]]
    events: Mapping[str, int]
    worse: tuple[str, ...]
    left: tuple[str, ...]
    used: int
    unusable: int

    @property
    def is_accepted(self) -> bool:
        """Whether the candidate may replace what is in service."""
        return not self.worse


@dataclass(frozen=True, slots=True)
class Fit:
    """A candidate that nobody has measured yet.

    Attributes:
        artifact: Its detector.json.
        used: How many labels taught.
        unusable: How many could not, since the queue has no measurements of their titles.
        left: Defects that were not changed.
    """

    artifact: Mapping[str, Any]
    used: int
    unusable: int
    left: tuple[str, ...]


def retrain(base: Mapping[str, Any], labels: Manifest, titles: Sequence[HeldOut]) -> Outcome:
    """Fits a candidate and holds it against what is in service.

    Args:
        base: The detector.json in service.
        labels: What to learn from.
        titles: What to measure both on; no label may be about any of them.

    Raises:
        InvalidParameterError: The detector cannot learn from labels, a title was labelled, or no
            label has measurements.
    """
    return held_against(base, fit(base, labels, titles), titles)


def fit(base: Mapping[str, Any], labels: Manifest, titles: Sequence[HeldOut]) -> Fit:
    """Fits a candidate; of the titles held out it looks at which defects they have, no more.

    Raises:
        InvalidParameterError: See `retrain`.
    """
    learner = _learner(base)
    both = sorted({t.name for t in titles} & {e.item.title for e in labels.examples})
    if both:
        raise InvalidParameterError(f"{both[0]} is held out and has a label: take one of them away")
    taught = [(e, _example(e, learner)) for e in labels.examples]
    examples = [example for _, example in taught if example is not None]
    if not examples:
        raise InvalidParameterError("no label has measurements of its title in the queue")
    left = uncovered(titles, learner.defects)
    anchors = {e.item.title: x.measurements for e, x in taught if x is not None}
    # What is in service now began somewhere: every fit begins there and takes all labels, so that
    # the order in which they came does not matter.
    before = base[learner.entry]
    origin = base.get("learning", {}).get("origin", before)
    changed = learner.refit({**base, learner.entry: origin}, examples, list(anchors.values()))
    changed = learner.kept(changed, before, left)
    unusable = len(taught) - len(examples)
    return Fit({**base, learner.entry: changed}, len(examples), unusable, tuple(left))


def held_against(base: Mapping[str, Any], fitted: Fit, titles: Sequence[HeldOut]) -> Outcome:
    """Measures a candidate and what is in service on the titles held out.

    Args:
        base: The detector.json in service.
        fitted: The candidate.
        titles: Held out.
    """
    artifact, left = fitted.artifact, fitted.left
    learner = _learner(base)
    before, after = (learner.found(titles, a) for a in (base, artifact))
    comparison = {
        d: evaluation.compare(
            before[d], after[d], (learner.threshold(base, d), learner.threshold(artifact, d))
        )
        for d in learner.defects if d not in left
    }  # fmt: skip
    events = {d: sum(len(h.events) for h in before[d]) for d in learner.defects}
    worse = tuple(evaluation.worse(comparison))
    return Outcome(artifact, comparison, events, worse, left, fitted.used, fitted.unusable)


def write_version(
    base_folder: Path, out: Path, base: Mapping[str, Any], outcome: Outcome, labels: Manifest
) -> Path | None:
    """Writes the comparison, and the new version where it was accepted.

    Args:
        base_folder: Artifact that is in service; its weights go along.
        out: Folder for the new one, named after the detector within.
        base: Its detector.json.
        outcome: Of the fit.
        labels: What was learned from.

    Returns:
        The artifact's folder, ready for `--artifacts` and the archives; None for one refused.
    """
    folder = out / str(base["name"])
    version = int(base.get("learning", {}).get("version", 0)) + 1
    body = {
        "accepted": outcome.is_accepted,
        "worse": list(outcome.worse),
        "not_changed": list(outcome.left),
        "labels": outcome.used,
        "labels_without_measurements": outcome.unusable,
        "manifest": labels.sha256,
        "events_held_out": dict(outcome.events),
        "differences": {
            d: {m: _rounded(asdict(v)) for m, v in own.items()}
            for d, own in outcome.comparison.items()
        },
    }
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / COMPARISON, (json.dumps(body, indent=1) + "\n").encode())
    write_atomically(out / "manifest.json", (json.dumps(labels.document, indent=1) + "\n").encode())
    if not outcome.is_accepted:
        return None
    learned = {
        "version": version,
        "manifest": labels.sha256,
        "labels": outcome.used,
        "from": str(base["version"]),
        "origin": base.get("learning", {}).get("origin", base[_learner(base).entry]),
    }
    release = str(base["version"]).split("+")[0]
    document = {
        **outcome.artifact, "version": f"{release}+labels.{version}", "learning": learned
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(base_folder.iterdir()):
        if path.is_file() and path.name not in (DOCUMENT, "CARD.md"):
            shutil.copyfile(path, folder / path.name)
    write_atomically(folder / "CARD.md", card(base_folder, document, body).encode())
    write_atomically(folder / DOCUMENT, (json.dumps(document, indent=1) + "\n").encode())
    return folder


def card(base_folder: Path, document: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    """Returns the card of a version that labels made: what it learned, and what that changed."""
    learned = document["learning"]
    lines = [
        f"# {document['name']} {document['version']}",
        "",
        f"Fitted to {learned['labels']} labels (manifest {learned['manifest'][:12]}) on top of "
        f"{learned['from']}. Network and thresholds are as they were; the last step of the "
        "decision is new.",
        "",
        "On the titles held out, before and after, with the 95 % interval of the difference:",
        "",
        "| defect | events | measure | before | after | difference |",
        "|---|---|---|---|---|---|",
    ]
    for defect, measures in body["differences"].items():
        for measure, d in measures.items():
            lines.append(
                f"| {defect} | {body['events_held_out'][defect]} | {measure.replace('_', ' ')} "
                f"| {d['before']} | {d['after']} | {d['low']} to {d['high']} |"
            )
    few = [d for d, n in body["events_held_out"].items() if 0 < n < FEW_EVENTS]
    if few:
        names = ", ".join(few)
        lines += ["", f"Fewer than {FEW_EVENTS} events held out, so little is known: {names}."]
    if body["not_changed"]:
        lines += ["", "Not changed, for want of an event held out: "
                  + ", ".join(body["not_changed"]) + "."]  # fmt: skip
    before = base_folder / "CARD.md"
    if before.exists():
        lines += ["", "What follows is the card of the version it began with.", "", "---", ""]
        lines.append(before.read_text("utf-8"))
    return "\n".join(lines) + "\n"


def _learner(base: Mapping[str, Any]) -> Learner:
    learner = LEARNERS.get(str(base.get("name")))
    if learner is None:
        raise InvalidParameterError(
            f"{base.get('name')} does not learn from labels yet: {', '.join(SUPPORTED)}"
        )
    return learner


def _example(labelled: Labelled, learner: Learner) -> Example | None:
    measured = measurements_of(labelled.folder, labelled.item)
    answers = present(labelled.item, labelled.label, learner.defects)
    if measured is None or not answers:
        return None
    label = labelled.label
    where = label if label.answer == "wrong_ends" else labelled.item
    return Example(measured, Interval(where.start_s, where.end_s), answers, label.trust)


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}
