"""The steps of the loop as jobs run them, each from folders to folders: nothing else is shared.

    prepare   queue, held out, service      -> prepared: manifest.json, titles.jsonl
    train     queue, prepared, service      -> candidate: candidate.json
    evaluate  queue, prepared, candidate, service
                                            -> evaluation: comparison.json, and models/ if accepted
    shadow    models, service, media        -> shadow: shadow.json

`defectscope retrain` does the first three at once with the same functions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from defectscope.compare.finding_changes import match_findings
from defectscope.compare.statistics import compare_counts, overall
from defectscope.desk.analyzing import analyze
from defectscope.engine.artifacts import artifact_folder, tuned
from defectscope.errors import InvalidParameterError, MalformedRequestError
from defectscope.findings import Interval, Report
from defectscope.learning import retrain
from defectscope.learning.held_out import HeldOut, read_held_out
from defectscope.learning.items import write_atomically
from defectscope.learning.manifest import Manifest, manifest
from defectscope.measurements import Measurements

# Share of titles whose verdict may change before a candidate is not let on.
MOST_CHANGED = 0.1
COMPARISON, SHADOW, CANDIDATE = "comparison.json", "shadow.json", "candidate.json"
_TITLES, _MANIFEST = "titles.jsonl", "manifest.json"
# (media, detector, artifacts) -> a report.
Analyze = Callable[[Path, str, Path | None], Report]


def analyzed(media: Path, detector: str, artifacts: Path | None) -> Report:
    """Returns the report of one detector, with what it measured."""
    return analyze(media, detectors=[detector], measurements=True, artifacts=artifacts)


def prepare(root: Path, detector: str, measure: Analyze = analyzed) -> None:
    """Measures the titles held out and names the labels to learn from.

    Raises:
        InvalidParameterError: No label is settled, nothing is held out, or the detector does not
            learn from labels.
        MalformedRequestError: A file of a queue or a truth is damaged.
    """
    if detector not in retrain.SUPPORTED:
        raise InvalidParameterError(
            f"{detector} does not learn from labels: {', '.join(retrain.SUPPORTED)}"
        )
    service, out = _service(root), root / "prepared"
    titles = read_held_out(
        root / "held_out", detector, lambda media, name: measure(media, name, service), out / "kept"
    )
    out.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(_title_body(title), separators=(",", ":")) + "\n" for title in titles]
    write_atomically(out / _TITLES, "".join(lines).encode())
    _write(out / _MANIFEST, _labels(root, detector, service).document)


def train(root: Path, detector: str) -> None:
    """Fits a candidate to the labels that `prepare` named.

    Raises:
        InvalidParameterError: See `retrain.fit`; or the queue has changed since.
    """
    service = _service(root)
    labels = _labels(root, detector, service)
    named = _read(root / "prepared" / _MANIFEST)
    if named.get("sha256") != labels.sha256:
        raise InvalidParameterError("the labels have changed since they were prepared: begin anew")
    base = tuned(detector, service).artifact
    fitted = retrain.fit(base, labels, _titles(root))
    _write(root / "candidate" / CANDIDATE, asdict(fitted))


def evaluate(root: Path, detector: str) -> bool:
    """Holds the candidate against what is in service, and writes a version if it may follow.

    Returns:
        Whether it may.
    """
    service = _service(root)
    base = tuned(detector, service).artifact
    body = _read(root / "candidate" / CANDIDATE)
    try:
        fitted = retrain.Fit(
            body["artifact"], int(body["used"]), int(body["unusable"]), tuple(body["left"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedRequestError(f"{CANDIDATE}: not a candidate ({error!r})") from None
    outcome = retrain.held_against(base, fitted, _titles(root))
    labels = _labels(root, detector, service)
    out = root / "evaluation"
    models = out / "models"
    made = retrain.write_version(artifact_folder(detector, service), models, base, outcome, labels)
    # Outside of the models as well, where a pipeline reads whether to go on.
    write_atomically(out / COMPARISON, (models / retrain.COMPARISON).read_bytes())
    return made is not None


def shadow(
    root: Path, detector: str, most_changed: float = MOST_CHANGED, measure: Analyze = analyzed
) -> bool:
    """Analyzes the same media by both versions, unseen by any caller, and compares the findings.

    Args:
        root: Of the folders.
        detector: Which.
        most_changed: Share of titles whose verdict may change.
        measure: Analyzes.

    Returns:
        Whether the candidate may be deployed: it has no more findings than the paired test allows,
        and few verdicts change.

    Raises:
        InvalidParameterError: There is no media, or the share is none.
    """
    if not 0 <= most_changed <= 1:
        raise InvalidParameterError(f"a share is 0 to 1, not {most_changed}")
    media = sorted(p for p in (root / "media").rglob("*") if p.is_file())
    if not media:
        raise InvalidParameterError("no media to compare both versions on")
    models = root / "evaluation" / "models"
    pairs: list[tuple[list[str], list[str]]] = []
    changes: dict[str, int] = {}
    changed: list[str] = []
    for path in media:
        before, after = (measure(path, detector, a) for a in (_service(root), models))
        pairs.append(([f.defect for f in before.findings], [f.defect for f in after.findings]))
        for change in match_findings(before.findings, after.findings, float):
            changes[change.status] = changes.get(change.status, 0) + 1
        if _verdict(before, detector) != _verdict(after, detector):
            changed.append(path.name)
    counts = {
        defect: ([b.count(defect) for b, _ in pairs], [a.count(defect) for _, a in pairs])
        for defect in sorted({d for pair in pairs for side in pair for d in side})
    }
    tests: list[Any] = []
    verdict = "no difference seen"
    if counts:
        whole, each = compare_counts(counts, power=False)
        tests, verdict = [t.to_dict() for t in (whole, *each)], overall(whole, each)
    accepted = verdict != "worse" and len(changed) <= most_changed * len(media)
    body = {
        "accepted": accepted, "titles": len(media), "verdict": verdict,
        "verdicts_changed": changed, "most_changed": most_changed, "changes": changes,
        "tests": tests,
    }  # fmt: skip
    _write(root / "shadow" / SHADOW, body)
    return accepted


def _verdict(report: Report, detector: str) -> Any:
    return report.verdicts.get(detector, {}).get("verdict")


def _service(root: Path) -> Path | None:
    """Returns the artifacts in service: what was put there, else what ships."""
    folder = root / "service"
    return folder if folder.is_dir() and any(folder.rglob("detector.json")) else None


def _labels(root: Path, detector: str, service: Path | None) -> Manifest:
    version = int(tuned(detector, service).artifact.get("learning", {}).get("version", 0)) + 1
    return manifest([root / "queue"], detector, version)


def _title_body(title: HeldOut) -> dict[str, Any]:
    truth = {d: [[i.start_s, i.end_s] for i in own] for d, own in title.truth.items()}
    return {
        "name": title.name, "seconds": title.seconds, "truth": truth,
        "measurements": title.measurements.to_dict(),
    }  # fmt: skip


def _titles(root: Path) -> Sequence[HeldOut]:
    path = root / "prepared" / _TITLES
    out: list[HeldOut] = []
    try:
        with path.open("rb") as lines:
            for line in lines:
                body = json.loads(line)
                truth = {d: tuple(Interval(*i) for i in own) for d, own in body["truth"].items()}
                measured = Measurements.from_dict(body["measurements"])
                out.append(HeldOut(str(body["name"]), measured, float(body["seconds"]), truth))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedRequestError(f"{path.name}: not as prepared ({error})") from None
    return out


def _read(path: Path) -> Mapping[str, Any]:
    try:
        body = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise MalformedRequestError(
            f"{path.name}: not as a step before wrote it ({error})"
        ) from None
    if not isinstance(body, dict):
        raise MalformedRequestError(f"{path.name}: not a JSON object")
    return body


def _write(path: Path, body: Any) -> None:
    write_atomically(path, (json.dumps(body, indent=1) + "\n").encode())
