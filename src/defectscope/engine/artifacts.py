"""Finds what ships with defectscope, and reads what was tuned: one place for both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from defectscope.engine.contracts import Tuned
from defectscope.engine.plugins import discovered
from defectscope.errors import ArtifactError, InvalidParameterError
from defectscope.findings import SEVERITIES, Severity

P = TypeVar("P")

_PACKAGE = Path(__file__).resolve().parents[1]


def bundled(kind: Literal["handlers", "model_artifacts"]) -> Path:
    """Gives the folder of handlers or model artifacts: in the wheel, else in the checkout.

    Raises:
        ArtifactError: Neither is there; the installation is incomplete.
    """
    for folder in (_PACKAGE / "_bundled" / kind, _PACKAGE.parents[1] / kind):
        if folder.is_dir():
            return folder
    raise ArtifactError(f"the installation lacks its {kind}; reinstall defectscope")


def artifact_folder(name: str) -> Path:
    """Returns where a detector's artifact lies: model_artifacts/<name>/, or in its own package.

    Raises:
        PluginError: The package that offers the detector has no such folder.
    """
    own = bundled("model_artifacts") / name
    plugin = discovered().plugins.get(name)
    return own if plugin is None or (own / "detector.json").is_file() else plugin.folder()


@lru_cache(maxsize=64)
def tuned(name: str) -> Tuned:
    """Reads the detector.json of a detector.

    Raises:
        ArtifactError: It is missing or damaged.
        PluginError: The package that offers the detector has none.
    """
    path = artifact_folder(name) / "detector.json"
    try:
        data = json.loads(path.read_text("utf-8"))
        thresholds = {str(k): float(v) for k, v in data["thresholds"].items()}
        return Tuned(str(data["version"]), thresholds, data["severity"], data)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{path}: not a detector's artifact ({error})") from None


def severity_of(rules: Mapping[str, Any], evidence: Mapping[str, Any]) -> Severity:
    """Gives the highest severity whose bound a finding's evidence reaches, else `minor`.

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


def overridden(params: P, values: Mapping[str, Any]) -> P:
    """Gives parameters with some replaced, each checked against the type it has.

    Raises:
        InvalidParameterError: A name is unknown or a value is of another type.
    """
    if not is_dataclass(params) or isinstance(params, type):
        raise InvalidParameterError("this detector has no parameters")
    known = {f.name: getattr(params, f.name) for f in fields(params)}
    for name, value in values.items():
        if name not in known:
            offered = ", ".join(known) or "none"
            raise InvalidParameterError(f"unknown parameter {name!r}; there are: {offered}")
        current = known[name]
        number = isinstance(current, int | float) and not isinstance(current, bool)
        fits = (
            isinstance(value, int | float) and not isinstance(value, bool)
            if number
            else isinstance(value, type(current))
        )
        if not fits:
            raise InvalidParameterError(f"parameter {name!r} wants {type(current).__name__}")
    try:
        return cast("P", replace(cast("Any", params), **values))
    except ValueError as error:
        raise InvalidParameterError(str(error)) from None
