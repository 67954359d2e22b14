"""Learns a detector's grade: small trees over the measures of a look, monotone in each."""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor

from defectscope.detectors.banding import detector as banding
from defectscope.detectors.banding.stairs import stair_grades
from defectscope.detectors.banding.tones import told
from defectscope.detectors.blur import detector as blur
from defectscope.detectors.compression_blockiness import cells
from defectscope.detectors.compression_blockiness import detector as blockiness
from defectscope.engine.artifacts import bundled
from defectscope.features.lines import lines_of
from defectscope.measurements import Table
from defectscope.media.frames import Plane
from defectscope.temporal.looks import settled
from defectscope.temporal.trees import TreeSum
from unseen.design import Clip
from unseen.make import short_look, shows, source_of

Floats = NDArray[np.float64]

# Key frames of a recording that are looked at.
KEYS_APART_S, MOST_KEYS = 1.0, 10
_DEPTH = 3
_NEVER = 1e300
# What a whole clean recording counts for at most, beside one clean clip.
_MOST_OF_ONE = 3.0


@dataclass(frozen=True)
class Head:
    """What a detector's trees look at.

    Attributes:
        names: Measures of a look, as the detector has them.
        measure: Returns them.
        signs: Those that are used: 1 where more is worse, -1 where less is, 0 for either.
        brought: Other defects that truly bring this one: their clips teach nothing.
    """

    names: tuple[str, ...]
    measure: Any
    signs: Mapping[str, int]
    brought: tuple[str, ...] = ()


# Recordings that have the defect as they were published, by what their frames look like: soft
# throughout, out of focus, steamed over. As clean clips they neither teach nor count.
AS_PUBLISHED: Mapping[str, tuple[str, ...]] = {
    "blur": (
        *("aev_151", "aev_201", "aev_202", "aev_205", "aev_230", "aev_274", "aev_284"),
        # Listed from pictures as enlarged from a smaller frame.
        "friday",
        *("lp_d20", "p70m_406", "p70m_451", "p70m_453"),
    ),
}

_COMB = {"clarity_min": 1, "clarity_mean": 1, "share": 1, "rise": 1, "on": 1, "off": -1, "same": -1}
_STEPS = (
    *("step_3", "step_4", "step_6", "step_9", "step_13", "coherent", "step_over_ramp"),
    *("coherent_over_ramp", "coherent_share", "size_mean", "middle", "middle_over_ramp"),
    *("middle_over_large", "comb", "empty", "repeat"),
)
HEADS: Mapping[str, Head] = {
    "compression_blockiness": Head(
        blockiness.LOOK_NAMES,
        blockiness.look_measures,
        {
            **{f"{k}_{n}": s for k in ("step", "wide") for n, s in _COMB.items()},
            "block_px": 0,
            **dict.fromkeys(cells.NAMES, 1),
        },
    ),
    "banding": Head(
        banding.CLOSER_NAMES,
        banding.closer_measures,
        {**dict.fromkeys(_STEPS, 1), "ramp": -1, "grid_clarity": -1, "grid_share": -1},
    ),
    "blur": Head(
        blur.LOOK_NAMES,
        blur.look_measures,
        {n: -1 if n.startswith(("acute", "fall")) else 0 for n in blur.LOOK_NAMES},
        ("compression_blockiness", "banding"),
    ),
}


def short_looks(clip: Clip) -> tuple[dict[str, list[list[float]]], bool]:
    """Returns the measures of two looks of a clip by detector, and whether its defect shows."""
    run, source = short_look(clip), source_of(clip)
    out: dict[str, list[list[float]]] = {name: [] for name in HEADS}
    for at in (0, len(run.frames) // 2):
        lines = lines_of(
            Plane(np.ascontiguousarray(run.frames[at][: run.height]), run.width, run.height), 8
        )
        for name, head in HEADS.items():
            out[name].append([float(v) for v in head.measure(lines)])
    return out, bool(clip.defect) and shows(clip.defect, source, run)


def key_looks(path: Path) -> dict[str, list[list[float]]]:
    """Returns the measures of a recording's key frames by detector, a second apart or more."""
    out: dict[str, list[list[float]]] = {name: [] for name in HEADS}
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.skip_frame = "NONKEY"
        last = -KEYS_APART_S
        for frame in container.decode(stream):
            if frame.time is None or frame.time - last < KEYS_APART_S:
                continue
            last = frame.time
            grey = frame.to_ndarray(format="gray")
            lines = lines_of(Plane(np.ascontiguousarray(grey), frame.width, frame.height), 8)
            for name, head in HEADS.items():
                out[name].append([float(v) for v in head.measure(lines)])
            if len(out[name]) >= MOST_KEYS:
                break
    return out


def taken(defect: str, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Returns the clips that may count.

    Not those that show nothing of what was made in them, nor clean ones that have the defect as
    they were published.
    """
    apart = AS_PUBLISHED.get(defect, ())
    return [
        r
        for r in rows
        if (r["truth"] if r["defect"] else Path(str(r["recording"])).stem not in apart)
    ]


def fitted(
    defect: str, rows: Sequence[Mapping[str, Any]], head: Head
) -> tuple[HistGradientBoostingRegressor, list[str]]:
    """Fits the trees to the levels of clips.

    Args:
        defect: Whose grade; clips of other defects have grade 0.
        rows: Clips: `defect`, `level` and `looks` as `looks` gives them.
        head: What the trees look at.

    Returns:
        The trees, and the names of the measures that they look at, in order.
    """
    used = [name for name in head.names if name in head.signs]
    columns = [head.names.index(name) for name in used]
    used_rows = [row for row in taken(defect, rows) if row["defect"] not in head.brought]
    values = np.concatenate([np.array(r["looks"][defect])[:, columns] for r in used_rows])
    counts = [len(row["looks"][defect]) for row in used_rows]
    levels = [row["level"] if row["defect"] == defect else 0 for row in used_rows]
    # Of a whole recording the looks differ, so it counts for more than a clip, but not for all.
    shares = [
        2.0 * (min(_MOST_OF_ONE, len(row["looks"][defect]) ** 0.5) if row.get("whole") else 1.0)
        if not row["defect"]
        else 1.0
        for row in used_rows
    ]
    weights = [share / count for share, count in zip(shares, counts, strict=True)]
    trees = HistGradientBoostingRegressor(
        max_iter=80,
        max_depth=_DEPTH,
        learning_rate=0.1,
        min_samples_leaf=12,
        l2_regularization=3,
        early_stopping=False,
        monotonic_cst=[head.signs[name] for name in used],
    )
    trees.fit(values, np.repeat(levels, counts), sample_weight=np.repeat(weights, counts))
    return trees, used


def shipped_grades(defect: str, rows: Sequence[Mapping[str, Any]]) -> list[float]:
    """Returns the higher settled grade of each clip's looks, as the shipped artifact gives it."""
    artifact = json.loads((bundled("model_artifacts") / defect / "detector.json").read_bytes())
    names = HEADS[defect].names
    trees = TreeSum(artifact["scale"], names)
    out: list[float] = []
    for row in rows:
        looks = np.array(row["looks"][defect])
        grade = settled(trees(looks))
        if defect == "banding":
            columns = {n: array("d", looks[:, at].tolist()) for at, n in enumerate(names)}
            table = Table((1, 1), {"pts": array("q", range(len(looks))), **columns})
            bounds = artifact["thresholds"]
            grade = told(table, grade, bounds["plain_grade"])
            grade = np.maximum(grade, settled(stair_grades(table, bounds)))
        out.append(float(grade.max()))
    return out


def document(trees: HistGradientBoostingRegressor, used: Sequence[str]) -> dict[str, Any]:
    """Returns the trees as plain numbers, as `defectscope.temporal.trees.TreeSum` reads them."""
    features: list[list[int]] = []
    bounds: list[list[float]] = []
    values: list[list[float]] = []
    splits = 2**_DEPTH - 1
    for (predictor,) in trees._predictors:
        nodes = predictor.nodes
        feature, bound, value = [0] * splits, [_NEVER] * splits, [0.0] * (splits + 1)
        waiting = [(0, 0)]
        while waiting:
            node, at = waiting.pop()
            leaf = bool(nodes[node]["is_leaf"])
            if at >= splits:
                value[at - splits] = round(float(nodes[node]["value"]), 5)
                continue
            if not leaf:
                feature[at] = int(nodes[node]["feature_idx"])
                bound[at] = float(f"{nodes[node]['num_threshold']:.9g}")
            left, right = (node, node) if leaf else (nodes[node]["left"], nodes[node]["right"])
            waiting += [(int(left), 2 * at + 1), (int(right), 2 * at + 2)]
        features.append(feature)
        bounds.append(bound)
        values.append(value)
    base = round(float(np.ravel(trees._baseline_prediction)[0]), 5)
    return {
        "measures": list(used),
        "base": base,
        "features": features,
        "bounds": bounds,
        "values": values,
    }


def install(path: Path, scale: Mapping[str, Any], plain_grade: float) -> None:
    """Writes trees and their operating point into a detector's artifact, a tree a line."""
    artifact = json.loads(path.read_text("utf-8"))
    artifact["thresholds"]["plain_grade"] = plain_grade
    lines = [f"  {json.dumps(k)}: {json.dumps(v)}," for k, v in artifact.items() if k != "scale"]
    parts = [f'    "{k}": {json.dumps(scale[k])}' for k in ("measures", "base")]
    for name in ("features", "bounds", "values"):
        trees = ",\n".join(f"      {json.dumps(tree)}" for tree in scale[name])
        parts.append(f'    "{name}": [\n{trees}\n    ]')
    body = ",\n".join(parts)
    text = "\n".join(["{", *lines, '  "scale": {', body, "  }", "}"])
    path.write_text(text + "\n", "utf-8")
