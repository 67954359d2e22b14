"""Holds what live_soak.py recorded against what was done.

    python benchmarks/live_judge.py OUT FAULTY.json

An alarm counts when it opens within 2 s plus what its detector states that it needs to see, and
when it clears. Everything else that opened is listed.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

LIMIT_S = 2.0
# What a detector must see after a defect has begun: how long one must last to be one, or what its
# measurements wait for. Source: docs/detectors, and the constants there.
CONTEXT_S = {
    "black_frames": 0.0,
    "freeze": 0.5,
    "audio_dropout": 2.0,
    "phase_inversion": 1.0,
    "format_change": 0.0,
    "packet_loss": 0.0,
    # No data for a second, and then for one in which it is not a hiccup.
    "signal_lost": 1.0,
    "clock_step": 0.0,
    "track_missing": 1.0,
}
# What a fault of the sender is alarmed as.
DEFECT = {
    "loss": "packet_loss",
    "outage": "signal_lost",
    "clock_step": "clock_step",
    "track_gone": "track_missing",
}
CONTROL = "control"
# Warm-up, in which decoders and windows come to their size; the first and the last fifth of what
# follows are compared. And how long after a fault of the sender lag is told apart, seconds.
WARM_S, AFTER_S = 300.0, 10.0


def seconds_of(text: str) -> float:
    """Returns an instant of an event, seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()


def expected(truth: dict[str, Any], faulty: dict[str, Any], until_s: float) -> list[dict[str, Any]]:
    """Returns every fault of a channel on the wall clock."""
    began_s, loop_s = truth["began_wall_s"], faulty["seconds"]
    found = []
    loop = 0
    while loop * loop_s < until_s - began_s:
        for fault in faulty["faults"]:
            start_s = began_s + loop * loop_s + fault["start_s"]
            end_s = began_s + loop * loop_s + fault["end_s"]
            if end_s + 5.0 < until_s:
                # A change of raster is a moment, there and back.
                ends = [start_s, end_s] if fault["defect"] == "format_change" else [start_s]
                for at_s in ends:
                    last_s = at_s if fault["defect"] == "format_change" else end_s
                    found.append({"defect": fault["defect"], "start_s": at_s, "end_s": last_s})
        loop += 1
    for fault in truth["faults"]:
        # A loss begins with the first datagram that is lost: at 0.1 % that takes seconds.
        at_s, first_s = fault["at_s"], fault.get("first_lost_s")
        start_s = began_s + (at_s if first_s is None else first_s)
        length_s = fault["duration_s"] if fault["kind"] != "clock_step" else 0.0
        end_s = began_s + at_s + length_s
        entry = {"defect": DEFECT[fault["kind"]], "start_s": start_s, "end_s": end_s}
        found.append(entry | {"kind": fault["kind"], **fault})
    return sorted(found, key=lambda f: f["start_s"])


def decided(channel: str, faults: list[dict[str, Any]], events: list[dict[str, Any]]) -> Any:
    """Pairs faults with alarms; returns rows and what is left over."""
    alarms: dict[str, dict[str, Any]] = {}
    for event in events:
        data = event["data"]
        if data["channel"] == channel:
            alarm = alarms.setdefault(data["alarm_id"], {"defect": data["defect"], "data": data})
            alarm[data["state"]] = seconds_of(event["time"])
            alarm["data"] = data
    used: set[str] = set()
    rows = []
    for fault in faults:
        limit_s = LIMIT_S + CONTEXT_S[fault["defect"]]
        match = next(
            (
                key
                for key, alarm in alarms.items()
                if key not in used
                and alarm["defect"] == fault["defect"]
                and fault["start_s"] - 1.0 <= alarm.get("opened", 0.0) <= fault["end_s"] + 6.0
            ),
            None,
        )
        row = {**fault, "opened_after_s": None, "cleared_after_s": None, "limit_s": limit_s}
        if match is not None:
            used.add(match)
            alarm = alarms[match]
            row["opened_after_s"] = round(alarm["opened"] - fault["start_s"], 2)
            if "cleared" in alarm:
                row["cleared_after_s"] = round(alarm["cleared"] - fault["end_s"], 2)
            row["evidence"] = alarm["data"]["evidence"]
        rows.append(row)
    return rows, [alarm for key, alarm in alarms.items() if key not in used]


def loss_told(name: str, row: dict[str, Any]) -> dict[str, Any]:
    """Prints and returns how far what is told of a loss is from what was held back.

    The share is that from the first loss to the last: when a loss begins and ends without losing
    anything, nobody can see.
    """
    evidence = row.get("evidence") or {}
    first, last = row["lost_between"] or (0, 0)
    share = row["lost"] / max(1, last - first + 1)
    told = {
        "channel": name,
        "amount": row["amount"],
        "packets": row["lost_packets"],
        "packets_told": evidence.get("missing_packets"),
        "share": round(share, 6),
        "share_told": evidence.get("loss_share"),
        "count_off": None,
        "share_off": None,
    }
    if evidence and row["lost"]:
        told["count_off"] = round(told["packets_told"] / told["packets"] - 1, 4)
        told["share_off"] = round(told["share_told"] / share - 1, 4)
    print("loss", told)
    return told


def lags_of(
    samples: list[dict[str, Any]], truth: dict[str, Any]
) -> tuple[list[float], list[float]]:
    """Returns the lags of all samples, and those apart from what was done to a channel's sender.

    Around an outage, a step of the clock and a change of tracks, a channel is opened anew: what it
    waits for then is the stream's own.
    """
    lags: list[float] = []
    apart: list[float] = []
    for sample in samples:
        for name, channel in sample["channels"].items():
            if channel["state"] not in ("ok", "alarm") or channel["lag_s"] is None:
                continue
            lags.append(channel["lag_s"])
            at_s = sample["wall_s"] - truth[name]["began_wall_s"]
            if not any(_is_near(at_s, fault) for fault in truth[name]["faults"]):
                apart.append(channel["lag_s"])
    return lags, apart


def _is_near(at_s: float, fault: dict[str, Any]) -> bool:
    if fault["kind"] == "loss":
        return False
    moments = [fault["at_s"]]
    if fault["kind"] != "clock_step":
        moments.append(fault["at_s"] + fault["duration_s"])
    return any(-1.0 <= at_s - moment < AFTER_S for moment in moments)


def main() -> None:
    """Prints the result, and writes it to OUT/result.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("faulty", type=Path)
    a = parser.parse_args()
    truth = json.loads((a.out / "truth.json").read_text())
    faulty = json.loads(a.faulty.read_text())
    events = [json.loads(line) for line in (a.out / "events.jsonl").read_text().splitlines()]
    samples = [json.loads(line) for line in (a.out / "samples.jsonl").read_text().splitlines()]
    until_s = samples[-1]["wall_s"]
    table: dict[str, list[Any]] = defaultdict(list)
    extra: Counter[str] = Counter()
    losses: list[dict[str, Any]] = []
    for name, told in truth.items():
        faults = [] if name == CONTROL else expected(told, faulty, until_s)
        rows, left = decided(name, faults, events)
        for row in rows:
            table[row["defect"]].append(row)
            if row.get("kind") == "loss":
                losses.append(loss_told(name, row))
        end_s = told["began_wall_s"] + told["seconds"]
        for alarm in left:
            if not told["began_wall_s"] < alarm.get("opened", 0) < end_s:
                continue
            extra[f"{'control' if name == CONTROL else 'faulty'}: {alarm['defect']}"] += 1
            print(
                "beside",
                name,
                alarm["defect"],
                round(alarm.get("opened", 0) - told["began_wall_s"], 1),
                alarm["data"]["evidence"],
            )
    result: dict[str, Any] = {"defects": {}, "beside": dict(extra)}
    heads = f"{'defect':16} {'made':>5} {'alarmed':>8} {'in time':>8} {'cleared':>8}"
    print(heads, " opened after s: median, max")
    for defect, rows in sorted(table.items()):
        opened = [r["opened_after_s"] for r in rows if r["opened_after_s"] is not None]
        in_time = sum(o <= rows[0]["limit_s"] for o in opened)
        cleared = [r["cleared_after_s"] for r in rows if r["cleared_after_s"] is not None]
        entry = {
            "made": len(rows), "alarmed": len(opened), "in_time": in_time, "cleared": len(cleared),
            "opened_median_s": float(np.median(opened)) if opened else None,
            "opened_max_s": max(opened, default=None),
            "cleared_median_s": float(np.median(cleared)) if cleared else None,
        }  # fmt: skip
        result["defects"][defect] = entry
        print(
            f"{defect:16} {len(rows):5} {len(opened):8} {in_time:8} {len(cleared):8}"
            f"  {entry['opened_median_s']} {entry['opened_max_s']}"
        )
    lags, apart = lags_of(samples, truth)
    warm = [s for s in samples if s["wall_s"] - samples[0]["wall_s"] > WARM_S] or samples
    fifth = max(1, len(warm) // 5)
    memory = [
        float(np.median([s["pss_bytes"] for s in part])) for part in (warm[:fifth], warm[-fifth:])
    ]
    levels = sorted({c["level"] for s in samples for c in s["channels"].values() if c["level"]})
    cpu_s = samples[-1]["cpu_s"] - samples[0]["cpu_s"]
    passed_s = samples[-1]["wall_s"] - samples[0]["wall_s"]
    result |= {
        "lag_p50_s": float(np.median(lags)), "lag_p99_s": float(np.percentile(lags, 99)),
        "lag_max_s": max(lags), "lag_p99_apart_s": float(np.percentile(apart, 99)),
        "lag_over_half": float(np.mean(np.array(lags) > 0.5)),
        "lag_over_half_apart": float(np.mean(np.array(apart) > 0.5)),
        "memory_first_mb": memory[0] / 1e6, "memory_last_mb": memory[1] / 1e6,
        "memory_peak_mb": max(s["pss_bytes"] for s in warm) / 1e6,
        "memory_grown": memory[1] / memory[0] - 1, "cores": cpu_s / passed_s,
        "overrun_bytes": sum(c["overrun_bytes"] or 0 for c in samples[-1]["channels"].values()),
        "held_up_s": {n: t["held_up_s"] for n, t in truth.items()},
        "minutes": passed_s / 60, "levels": levels,
        "losses": losses,
        "losses_within_5_percent": {
            key: sum(x[key] is not None and abs(x[key]) <= 0.05 for x in losses)
            for key in ("count_off", "share_off")
        },
    }  # fmt: skip
    (a.out / "result.json").write_text(json.dumps(result, indent=1))
    print(json.dumps({k: v for k, v in result.items() if k != "defects"}, indent=1))


if __name__ == "__main__":
    main()
