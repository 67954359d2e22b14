"""The page that `accuracy.py` writes: tables for people, from the same figures as the JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from scoring import MATCH_IOU, MODERATE

# What is wanted at moderate severity and above: (figure, least value).
GOALS = {
    **dict.fromkeys(
        (
            "stutter", "tearing", "interlacing", "test_pattern", "letterbox", "flicker",
            "color_error", "phase_inversion", "channel_missing", "black_frames", "freeze",
            "audio_dropout",
        ),
        ("f1", 0.95),
    ),
    **dict.fromkeys(("compression_blockiness", "blur", "video_noise"), ("auc", 0.95)),
    "banding": ("auc", 0.9),
}  # fmt: skip
# Measured against a target and over the whole programme: there is no event to match.
MEASURES = frozenset({"loudness", "true_peak"})
PEER_NAMES = {
    "black_frames": "blackdetect",
    "freeze": "freezedetect",
    "interlacing": "idet",
    "compression_blockiness": "blockdetect",
    "blur": "blurdetect",
    "flicker": "photosensitivity",
    "audio_dropout": "silencedetect",
    "loudness": "ebur128",
}
_HEAD = (
    "recordings",
    "events",
    "F1",
    "missed",
    "extra",
    "end error (median / max)",
    "clip AUC",
    "recall by severity 1-5",
    "AUC by severity 1-5",
)


def page(found: Mapping[str, Any]) -> str:
    """Returns the whole page as Markdown."""
    about = found["about"]
    used = "; ".join(f"{k}: {', '.join(v)}" for k, v in about["recordings"].items())
    lines = [
        "# Accuracy on simulated defects",
        "",
        f"`{about['command']}` at {about['commit']}: the {about['split']} half of the recordings, "
        "one excerpt of at most 8 s from the middle of each, impaired at severities 1 (barely "
        f"perceptible) to 5 (gross). F1, ends and clip AUC are over severities {MODERATE} to 5; "
        f"events match one to one at IoU >= {MATCH_IOU}; end errors are in frames for frames and "
        "in ms for sound. Thresholds are the released ones. Phase is inverted only where the "
        "channels have something in common (correlation >= 0.2).",
        "",
        f"Recordings: {used}.",
        "",
        *_left_out(about["left_out"]),
        *_own(found["rows"]),
        *_fresh(found["fresh"], about["seen"]),
        *_peers(found),
        *_matrix(found),
        *_clean(found),
    ]
    return "\n".join(lines) + "\n"


def _left_out(left_out: Mapping[str, Sequence[str]]) -> list[str]:
    if not left_out:
        return []
    named = "; ".join(f"{name}: {', '.join(files)}" for name, files in left_out.items())
    return [
        "For some defects, recordings that already contain the defect (verified by a person; "
        "tests/expected_findings/) were replaced by the next one, because the simulated defect "
        f"would not be the only one in them: {named}.",
        "",
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return out + ["| " + " | ".join(_text(cell) for cell in row) + " |" for row in rows]


def _text(value: Any) -> str:
    return "-" if value is None else str(value)


def _cells(row: Mapping[str, Any]) -> list[Any]:
    median, largest = row["median_end_error"], row["max_end_error"]
    return [
        row["recordings"],
        row["events"],
        row["f1"],
        row["missed"],
        row["extra"],
        None if median is None else f"{median} / {largest}",
        row["auc"],
        " / ".join(_text(v) for v in row["recall"].values()),
        " / ".join(_text(v) for v in row["auc_by_severity"].values()),
    ]


def _met(name: str, row: Mapping[str, Any]) -> str:
    if name not in GOALS:
        return ""
    figure, least = GOALS[name]
    value = row[figure]
    return f"{figure} >= {least}: " + ("met" if value is not None and value >= least else "short")


def _own(rows: Mapping[str, Any]) -> list[str]:
    events = {n: r for n, r in sorted(rows.items()) if n not in MEASURES}
    out = ["## By defect", ""]
    out += _table(
        ("defect", *_HEAD, "goal"), [(n, *_cells(r), _met(n, r)) for n, r in events.items()]
    )
    out += ["", "Clips (recording and severity) in which an event was missed, or found in excess:"]
    out += [""]
    for name, row in events.items():
        parts = [
            f"{what} in {', '.join(row[key])}"
            for what, key in (("missed", "missed_in"), ("in excess", "extra_in"))
            if row[key]
        ]
        if parts:
            out.append(f"- {name}: {'; '.join(parts)}")
    return [*out, "", *_by_recording(events)]


def _fresh(rows: Mapping[str, Any], seen: Sequence[str]) -> list[str]:
    if not rows:
        return []
    cells = [
        (n, r["recordings"], r["events"], r["f1"], r["missed"], r["extra"], r["auc"])
        for n, r in sorted(rows.items())
        if r["events"] and n not in MEASURES
    ]
    return [
        "## Recordings not inspected during development",
        "",
        "During development, misses of an earlier round were inspected in clips of "
        f"{', '.join(seen)}. Without these:",
        "",
        *_table(("defect", "recordings", "events", "F1", "missed", "extra", "clip AUC"), cells),
        "",
    ]


def _by_recording(rows: Mapping[str, Any]) -> list[str]:
    """Says which recordings the misses come from: one that is special shows."""
    misses = Counter(
        clip.rsplit(" ", 1)[0]
        for row in rows.values()
        for clip in (*row["missed_in"], *row["extra_in"])
    )
    if not misses:
        return []
    listed = ", ".join(f"{name} ({count})" for name, count in misses.most_common())
    return [f"Misses and excesses by recording: {listed}.", ""]


def _peers(found: Mapping[str, Any]) -> list[str]:
    out = [
        "## ffmpeg's filters on the same clips",
        "",
        "Through libavfilter inside PyAV, with their defaults, in the same run. blockdetect and "
        "blurdetect give a number for each frame and no events; their score is the highest "
        "one-second mean.",
        "",
    ]
    rows: list[list[Any]] = []
    for name, row in sorted(found["peers"].items()):
        if name in MEASURES:
            continue
        for who, figures in (("defectscope", found["rows"][name]), (PEER_NAMES[name], row)):
            events = _cells(figures)
            if who in ("blockdetect", "blurdetect"):
                events[2:6] = [None] * 4
                events[7] = None
            rows.append([name, who, *events])
    out += _table(("defect", "who", *_HEAD), rows)
    pairs = found["loudness"]
    if pairs:
        apart = [abs(a - b) for a, b in pairs if b > -70]
        out += [
            "",
            f"Integrated loudness against ebur128 on {len(apart)} clips: "
            f"{sum(apart) / len(apart):.2f} LU apart on average, {max(apart):.2f} at most.",
        ]
    return [*out, ""]


def _matrix(found: Mapping[str, Any]) -> list[str]:
    matrix: Mapping[str, Mapping[str, int]] = found["matrix"]
    clips: Mapping[str, int] = found["clips"]
    made = sorted(clips)
    out = [
        "## Findings of another defect on impaired clips",
        "",
        f"{sum(clips.values())} clips of all severities. Columns: what was made (clips); rows: the "
        "detector that found something else than was made, and how often. What the clean excerpt "
        "has too is left out, and so is loudness, which measures against a target.",
        "",
    ]
    shown = {d: by for d, by in sorted(matrix.items()) if d != "loudness"}
    if not shown:
        return [*out, "None.", ""]
    columns = [m for m in made if any(by.get(m) for by in shown.values())]
    out += _table(
        ("detector", *(f"{m} ({clips[m]})" for m in columns), "sum"),
        [(d, *(by.get(m) or "" for m in columns), sum(by.values())) for d, by in shown.items()],
    )
    out += ["", "Each of them (clip and severity, what was made, what was found where):", ""]
    out += [
        f"- {clip}, {name}: {defect} {s:g}-{e:g} s"
        for detector, defect, clip, name, s, e in found["matrix_findings"]
        if detector != "loudness"
    ]
    return [*out, ""]


def _clean(found: Mapping[str, Any]) -> list[str]:
    out = [
        "## Findings on the clean excerpts",
        "",
        f"{found['clean_seconds']:g} s in all, at the same thresholds; docs/results/"
        "false_alarms.md does this over everything there is. Loudness left out.",
        "",
    ]
    rows = [
        f"- {name}: {defect} {s:.2f}-{e:.2f} s"
        for name, findings in found["clean"].items()
        for detector, defect, s, e in findings
        if detector != "loudness"
    ]
    out += rows or ["None."]
    if found["errors"]:
        out += ["", "Impaired clips that could not be opened any more:", ""]
        out += [f"- {source}, {defect}: {text}" for source, defect, text in found["errors"]]
    return out
