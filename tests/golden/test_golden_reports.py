"""Reports of fixed clips stay as they were recorded, until somebody changes them on purpose.

`make golden` records them anew; the change to the files then shows what became of the reports.
Names of evidence that were changed since the recording are translated by renamed_evidence.json.
A clip that NumPy makes otherwise on processors without AVX-512 has a second recording, `.avx2`;
with NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL AVX512_SPR" any processor makes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import av
import pytest
from numpy.lib.introspect import opt_func_info

from defectscope.analysis import analyze
from defectscope.detectors import load, names
from defectscope.simulate.contract import AudioSimulator, VideoSimulator
from defectscope.simulate.registry import simulator, simulators
from defectscope.simulate.synthetic.hard_negatives import HARD_NEGATIVES

HERE = Path(__file__).parent
CASES = [("simulated", name) for name in simulators()] + [
    ("hard_negative", each.name) for each in HARD_NEGATIVES
]

CAPTIONS = "caption_quality"
LIPS = "av_sync"
# One frame at 25 frames a second, and what a network's score may differ by between processors.
TIME_S = 0.0401
SCORE = 0.02
EVIDENCE_SHARE = 0.05
EVIDENCE_STEP = 0.02


def summary(report: Any) -> dict[str, Any]:
    """Returns what a golden file keeps of a report."""
    return {
        "findings": [
            {
                "detector": f.detector,
                "defect": f.defect,
                "start_s": round(f.start_s, 4),
                "end_s": round(f.end_s, 4),
                "severity": f.severity,
                "confidence": round(f.confidence, 4),
                "evidence": rounded(dict(f.evidence)),
            }
            for f in report.findings
        ],
        "verdicts": {
            name: {"verdict": entry["verdict"], "peak_score": rounded(entry["peak_score"])}
            for name, entry in report.verdicts.items()
        },
    }


def rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in sorted(value.items())}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return value


def differences(path: str, old: Any, new: Any) -> list[str]:
    """Names every place where two summaries differ by more than the tolerances."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = [f"{path}: {key} only in one" for key in old.keys() ^ new.keys()]
        for key in old.keys() & new.keys():
            found += differences(f"{path}.{key}", old[key], new[key])
        return found
    if isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            return [f"{path}: {len(old)} entries were recorded, now {len(new)}"]
        return [
            d
            for k, pair in enumerate(zip(old, new, strict=True))
            for d in differences(f"{path}[{k}]", *pair)
        ]
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (old, new))
    if not numbers:
        return [] if old == new else [f"{path}: {old!r} was recorded, now {new!r}"]
    if path.endswith(("start_s", "end_s")):
        allowed = TIME_S
    elif ".evidence." in path:
        allowed = EVIDENCE_SHARE * abs(old) + EVIDENCE_STEP
    else:
        allowed = SCORE
    return [] if abs(old - new) <= allowed else [f"{path}: {old} was recorded, now {new}"]


@pytest.fixture(scope="module")
def voice_by_others(voice: tuple[Path, Path]) -> dict[str, Any]:
    """What the detectors that read no captions say of the voice, beside the one that does."""
    media, captions = voice
    found = summary(analyze(media, captions=captions))
    # With captions in time there is nothing else.
    assert found["findings"] == []
    assert found["verdicts"].pop(CAPTIONS)["verdict"] == "pass"
    return found


@dataclass(frozen=True)
class Untouched:
    """A medium that a simulator copies, and what the detectors say that look at it alone."""

    packets: list[tuple[int | None, bytes]]
    verdicts: dict[str, Any]


def packets_of(media: Path, medium: str) -> list[tuple[int | None, bytes]]:
    with av.open(str(media)) as container:
        stream = getattr(container.streams, medium)[0]
        return [(packet.pts, bytes(packet)) for packet in container.demux(stream)]


@pytest.fixture(scope="module")
def untouched(keeping: Callable[[str], Path]) -> Callable[[str], Untouched]:
    """Looks at the film's video, or listens to its sound, once for all clips that keep it."""

    @cache
    def looked(medium: str) -> Untouched:
        path = keeping(medium)
        alone = [name for name in names() if load(name).needs.media == {medium}]
        found = summary(analyze(path, detectors=alone))
        assert found["findings"] == []
        return Untouched(packets_of(path, medium), found["verdicts"])

    return looked


@pytest.fixture(scope="module")
def lips_of_the_film(film: Path) -> dict[str, Any]:
    """What lip sync says of the film, which has no face: it needs no sound to say so."""
    found = summary(analyze(film, detectors=[LIPS]))
    assert found["findings"] == []
    assert found["verdicts"][LIPS]["verdict"] == "inconclusive"
    return found["verdicts"]


def recorded_here(path: Path) -> Path:
    """Where this processor's report of a clip goes."""
    narrow, kernels = path.with_suffix(".avx2.json"), opt_func_info(func_name="^add$")["add"]
    wide = any(re.search("V4|AVX512", each["current"]) for each in kernels.values())
    return path if wide or not narrow.exists() else narrow


def medium_left(kind: str, name: str) -> str | None:
    """The medium that a simulated clip has as the film has it."""
    if kind == "simulated" and isinstance(simulator(name), AudioSimulator):
        return "video"
    return "audio" if kind == "simulated" and isinstance(simulator(name), VideoSimulator) else None


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), CASES, ids=[f"{k}-{n}" for k, n in CASES])
def test_report_is_as_recorded(
    kind: str,
    name: str,
    golden_clip: Callable[[str, str], tuple[Path, Path | None]],
    untouched: Callable[[str], Untouched],
    request: pytest.FixtureRequest,
) -> None:
    media, captions = golden_clip(kind, name)
    if captions is None and (left := medium_left(kind, name)) is not None:
        others = untouched(left)
        assert packets_of(media, left) == others.packets
        known = dict(others.verdicts)
        if left == "video" and name != LIPS:
            known |= request.getfixturevalue("lips_of_the_film")
        now = summary(analyze(media, detectors=[n for n in names() if n not in known]))
        now["verdicts"] |= known
    elif captions is None:
        now = summary(analyze(media))
    else:
        # All captions are of one voice, which other detectors need hear but once.
        now = summary(analyze(media, captions=captions, detectors=[CAPTIONS]))
        heard: dict[str, Any] = request.getfixturevalue("voice_by_others")
        now["verdicts"] |= heard["verdicts"]
        now["findings"] += heard["findings"]
    path = HERE / "reports" / f"{kind}-{name}.json"
    if request.config.getoption("--record-golden"):
        own = recorded_here(path)
        own.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n", "utf-8")
        return
    renamed = json.loads((HERE / "renamed_evidence.json").read_text("utf-8"))
    found: list[list[str]] = []
    for each in (path, path.with_suffix(".avx2.json")):
        if not each.exists():
            continue
        recorded = json.loads(each.read_text("utf-8"))
        for finding in recorded["findings"]:
            keys = renamed.get(finding["detector"], {})
            finding["evidence"] = {keys.get(k, k): v for k, v in finding["evidence"].items()}
        found.append(differences("report", recorded, now))
    assert not (fewest := min(found, key=len)), "\n".join(fewest)


def test_a_changed_report_is_noticed() -> None:
    old = {"findings": [{"start_s": 1.0, "severity": "major", "evidence": {"a_code": 10.0}}]}
    moved = {"findings": [{"start_s": 1.1, "severity": "minor", "evidence": {"a_code": 12.0}}]}
    assert len(differences("report", old, moved)) == 3
    assert differences("report", old, {"findings": []})
    assert not differences("report", old, old)
