"""Finds what ships with defectscope or is the user's own, and reads what was tuned."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast

from defectscope.engine.contracts import Tuned
from defectscope.engine.plugins import discovered
from defectscope.errors import ArtifactError
from defectscope.findings import SEVERITIES, Severity

_PACKAGE = Path(__file__).resolve().parents[1]
ENVIRONMENT = "DEFECTSCOPE_ARTIFACTS"
"""Names a folder of the user's own artifacts, wherever detectors are loaded."""
DOCUMENT = "detector.json"
OWN = "own_artifacts"
"""Where an archive that was built with the user's own artifacts keeps them, under `_bundled`."""


def bundled(kind: Literal["handlers", "model_artifacts"]) -> Path:
    """Returns the folder of handlers or model artifacts: in the wheel, else in the checkout.

    Raises:
        ArtifactError: Neither is there; the installation is incomplete.
    """
    for folder in (_PACKAGE / "_bundled" / kind, _PACKAGE.parents[1] / kind):
        if folder.is_dir():
            return folder
    raise ArtifactError(f"the installation lacks its {kind}; reinstall defectscope")


def own_artifacts(given: str | os.PathLike[str] | None = None) -> Mapping[str, Path]:
    """Returns the folders of the user's own artifacts, by detector.

    Args:
        given: A folder as `defectscope-train export --out` writes it, or one that holds several
            under the names of their detectors. None takes `DEFECTSCOPE_ARTIFACTS` of the
            environment, else what the archive was built with, else none.

    Raises:
        ArtifactError: It holds no artifact, or one that names no detector or another one than its
            folder.
    """
    named = given if given is not None else os.environ.get(ENVIRONMENT) or None
    folder = _PACKAGE / "_bundled" / OWN if named is None else Path(named).resolve()
    if named is None and not folder.is_dir():
        return {}
    if not folder.is_dir():
        raise ArtifactError(f"{folder}: no such folder")
    if (folder / DOCUMENT).is_file():
        return {_name_in(folder): folder}
    found = {p.name: p for p in sorted(folder.glob("*/")) if (p / DOCUMENT).is_file()}
    if not found:
        raise ArtifactError(f"{folder}: holds neither {DOCUMENT} nor NAME/{DOCUMENT}")
    for name, place in found.items():
        # Taken by its contents it would leave the detector that its folder names as it was.
        if (held := _name_in(place)) != name:
            raise ArtifactError(f"{place / DOCUMENT}: is of {held}, not of {name}")
    return found


def _name_in(folder: Path) -> str:
    try:
        return str(json.loads((folder / DOCUMENT).read_text("utf-8"))["name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{folder / DOCUMENT}: not a detector's artifact ({error})") from None


def artifact_folder(name: str, artifacts: str | os.PathLike[str] | None = None) -> Path:
    """Returns where a detector's artifact lies.

    The user's own comes first, see `own_artifacts`; then model_artifacts/<name>/; then that in the
    package of the detector itself.

    Raises:
        ArtifactError: There is something wrong with the user's own artifacts.
        PluginError: The package that offers the detector has no such folder.
    """
    own = own_artifacts(artifacts).get(name)
    return released_folder(name) if own is None else own


def released_folder(name: str) -> Path:
    """Returns where the artifact that ships with a detector lies.

    Raises:
        PluginError: The package that offers the detector has no such folder.
    """
    released = bundled("model_artifacts") / name
    plugin = discovered().plugins.get(name)
    return released if plugin is None or (released / DOCUMENT).is_file() else plugin.folder()


def tuned(name: str, artifacts: str | os.PathLike[str] | None = None) -> Tuned:
    """Returns what was tuned or learned for a detector.

    Args:
        name: Of the detector.
        artifacts: See `own_artifacts`.

    Raises:
        ArtifactError: It is missing or damaged.
        PluginError: The package that offers the detector has none.
    """
    return read_artifact(artifact_folder(name, artifacts), own=name in own_artifacts(artifacts))


def read_artifact(folder: Path, *, own: bool = False) -> Tuned:
    """Reads the detector.json of a folder; kept until the file changes.

    Raises:
        ArtifactError: It is missing or damaged.
    """
    try:
        facts = (folder / DOCUMENT).stat()
    except OSError as error:
        raise ArtifactError(f"{folder / DOCUMENT}: not a detector's artifact ({error})") from None
    return _read(folder, own, (facts.st_mtime_ns, facts.st_size))


def forget() -> None:
    """Forgets what was read."""
    _read.cache_clear()


@lru_cache(maxsize=64)
def _read(folder: Path, own: bool, _stamp: tuple[int, int]) -> Tuned:
    path = folder / DOCUMENT
    try:
        text = path.read_bytes()
        data = json.loads(text)
        thresholds = {str(k): float(v) for k, v in data["thresholds"].items()}
        if unusable := [name for name, value in thresholds.items() if not math.isfinite(value)]:
            raise ValueError(f"no number: {', '.join(unusable)}")
        version, digest = str(data["version"]), hashlib.sha256(text).hexdigest()
        return Tuned(version, thresholds, data["severity"], data, folder, own, digest)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{path}: not a detector's artifact ({error})") from None


def severity_of(rules: Mapping[str, Any], evidence: Mapping[str, Any]) -> Severity:
    """Returns the highest severity whose bound a finding's evidence reaches, else `minor`.

    Args:
        rules: `{"measure": NAME, "major": BOUND, "critical": BOUND}`; NAME is a key of the
            evidence whose magnitude counts. `"always": SEVERITY` fixes it.
        evidence: The finding's measured quantities.
    """
    if "always" in rules:
        return cast("Severity", rules["always"])
    value = abs(float(evidence[rules["measure"]]))
    reached: Severity = "minor"
    for level in SEVERITIES[1:]:
        if level in rules and value >= float(rules[level]):
            reached = level
    return reached
