"""Measures the player in headless Chromium: what it finds, when, and what it costs.

Usage: python benchmarks/player.py OUT.json [--seeds 11 12] [--clips FOLDER]

Clips are made up anew from seeds that the tests do not use. Costs are those of the frames of one
1080p clip, with WebAssembly and with JavaScript in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "player"))
import chromium  # noqa: E402
import clips  # noqa: E402
import page as pages  # noqa: E402

PLAYER = ROOT / "player"


def quantiles(values: list[float]) -> dict[str, float]:
    """Returns median, 95th percentile and count."""
    if not values:
        return {"n": 0}
    return {
        "median": round(float(np.median(values)), 3),
        "p95": round(float(np.quantile(values, 0.95)), 3),
        "n": len(values),
    }


def one(page: Any, script: str) -> dict[str, Any]:
    """Runs a script in a fresh page."""
    return page.evaluate(script)


def found(browser: Any, site: Any, name: str) -> dict[str, Any]:
    """Plays one clip and compares what was found with what is wrong in it."""
    errors: list[str] = []
    page = pages.opened(browser, site, errors)
    result = one(page, f"whole('/clips/{name}.mp4')")
    page.close()
    fault = name.split("-")[0]
    truth = clips.FAULTS[fault][1] if fault in clips.FAULTS else None
    out: dict[str, Any] = {"clip": name, "errors": errors, "frames": result["status"]["frames"]}
    opened = [each for each in result["log"] if each["state"] == "open"]
    if truth is None:
        return out | {"found": len(opened), "expected": 0}
    hits = [
        f for f in result["findings"] if (f["detector"], f["kind"]) == (truth.detector, truth.kind)
    ]
    out |= {"expected": 1, "found": len(hits), "others": len(opened) - len(hits)}
    if hits:
        first = next(each for each in opened if each["id"] == hits[0]["id"])
        since_s = truth.end_s if truth.kind == "illegal_range" else truth.start_s
        late_s = first["reported_at_s"] - since_s
        out |= {
            "start_off_s": round(hits[0]["start_s"] - truth.start_s, 4),
            "end_off_s": round(hits[0]["end_s"] - truth.end_s, 4),
            "told_after_s": round(late_s, 3),
            "in_time": late_s <= clips.MIN_DURATION_S[truth.detector] + 0.5,
        }
    return out


def cost(browser: Any, site: Any, clip: str, options: dict[str, Any]) -> dict[str, Any]:
    """Plays a clip and gives what each frame cost."""
    errors: list[str] = []
    page = pages.opened(browser, site, errors)
    given = json.dumps({"budget": {"main_ms": 1000, "worker_ms": 1000}} | options)
    result = one(page, f"whole('/clips/{clip}.mp4', {given})")
    page.close()
    status = result["status"]
    costs = {name: values[5:] for name, values in status["cost"].items()}
    worker = [
        sum(each)
        for each in zip(costs["copy_ms"], costs["kernel_ms"], costs["decide_ms"], strict=True)
    ]
    return {
        "variant": status["variant"],
        "source": status["source"],
        "state": status["state"],
        "memory_bytes": status["memoryBytes"],
        "frames": status["frames"],
        "worker_ms": quantiles(worker),
        "errors": errors,
        **{name: quantiles(values) for name, values in costs.items()},
    }


def started(browser: Any, site: Any, engine: str) -> dict[str, Any]:
    """Returns how long it takes until frames are awaited, and what that adds to the page's heap."""
    errors: list[str] = []
    page = pages.opened(browser, site, errors)
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    before = session.send("Runtime.getHeapUsage")["usedSize"]
    ready_ms = one(
        page,
        f"""(async () => {{
        const began = performance.now();
        await watch({{ engine: '{engine}' }});
        const main = performance.now() - began;
        await until(() => handle.status().state !== 'starting');
        return [main, performance.now() - began];
    }})()""",
    )
    session.send("HeapProfiler.collectGarbage")
    after = session.send("Runtime.getHeapUsage")["usedSize"]
    page.close()
    return {
        "engine": engine,
        "page_free_after_ms": round(ready_ms[0], 1),
        "ready_after_ms": round(ready_ms[1], 1),
        "page_heap_bytes": after - before,
    }


def sizes() -> dict[str, int]:
    """Returns the compressed size of each file of the package that a page loads."""
    out: dict[str, int] = {}
    for name in ("index.js", "worker.js", "kernel.wasm", "decisions.wasm", "fallback.js"):
        command = ["brotli", "-c", "-q", "11", str(PLAYER / "dist" / name)]
        out[name] = len(subprocess.run(command, capture_output=True, check=True).stdout)
    out["all but fallback.js"] = sum(out.values()) - out["fallback.js"]
    return out


def main() -> None:
    """Measures and writes JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11])
    parser.add_argument("--clips", type=Path, help="folder that keeps the clips")
    options = parser.parse_args()
    result: dict[str, Any] = {"sizes": sizes(), "clips": [], "load": os.getloadavg()}
    with tempfile.TemporaryDirectory() as folder:
        root = options.clips or Path(folder)
        for seed in options.seeds:
            if not (root / f"illegal_range-{seed}.mp4").is_file():
                made = clips.make(root, seed)
                for name, path in made.items():
                    path.rename(root / f"{name}-{seed}.mp4")
        seed = options.seeds[0]
        if not (root / "hd.mp4").is_file():
            clips.enlarge(root / f"clean-{seed}.mp4", root / "hd.mp4", 1920, 1080)
        served = pages.served({"/dist/": PLAYER / "dist", "/clips/": root})
        with served as site, chromium.headless() as browser:
            result["browser"] = browser.version
            result["start"] = [started(browser, site, each) for each in ("auto", "javascript")]
            result["cost"] = [
                cost(browser, site, "hd", {}),
                cost(browser, site, "hd", {"engine": "javascript"}),
                cost(browser, site, "hd", {"source": "canvas"}),
            ]
            for path in sorted(root.glob("*-*.mp4")):
                result["clips"].append(found(browser, site, path.stem))
                print(json.dumps(result["clips"][-1]), flush=True)
    first, second = result["cost"][:2]
    result["kernel_ratio"] = round(second["kernel_ms"]["median"] / first["kernel_ms"]["median"], 1)
    options.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
