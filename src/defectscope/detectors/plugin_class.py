"""Imports a detector of another package and checks that it keeps the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from importlib import import_module
from typing import Any, cast

from defectscope.engine.artifacts import tuned
from defectscope.engine.contracts import Needs
from defectscope.engine.plugins import Plugin
from defectscope.errors import DefectscopeError, PluginError
from defectscope.features import FEATURES
from defectscope.findings import SEVERITIES


def plugin_class(plugin: Plugin) -> Any:
    """Imports a plug-in's class and makes one detector of it, to see that it keeps the contract.

    Raises:
        PluginError: It cannot be imported, or does not keep the contract; names the package.
    """
    plugin.folder()
    try:
        kind = getattr(import_module(plugin.module), plugin.attribute)
    # Whatever its author's code raises is its own failure, and must not break other detectors.
    except Exception as error:
        raise PluginError(f"{plugin} cannot be imported: {_text(error)}") from error
    for broken in _breaches(plugin, kind):
        raise PluginError(f"{plugin} does not keep the contract: {broken}")
    try:
        detector = kind(tuned=tuned(plugin.name))
    except DefectscopeError as error:
        raise PluginError(f"{plugin}: {error.message}") from error
    except Exception as error:
        raise PluginError(f"{plugin} cannot be made: {_text(error)}") from error
    needs = getattr(detector, "needs", None)
    if not isinstance(needs, Needs):
        raise PluginError(f"{plugin} does not keep the contract: `needs` is not a Needs")
    if unknown := needs.features - {feature.name for feature in FEATURES}:
        raise PluginError(f"{plugin} needs features that are not there: {', '.join(unknown)}")
    if not isinstance(getattr(detector, "params", None), kind.Params):
        raise PluginError(f"{plugin} does not keep the contract: `params` is not its Params")
    return kind


def _breaches(plugin: Plugin, kind: Any) -> list[str]:
    """Names what a class lacks."""
    if not isinstance(kind, type):
        return [f"{plugin.attribute} is not a class"]
    made = cast("Any", kind)
    found: list[str] = []
    if getattr(made, "name", None) != plugin.name:
        found.append(f"its class is named {getattr(made, 'name', None)!r}")
    defects = getattr(made, "defects", None)
    if not (isinstance(defects, tuple) and defects and all(isinstance(d, str) for d in defects)):
        found.append("`defects` is not a tuple of names")
    for method in ("open", "decide"):
        if not callable(getattr(made, method, None)):
            found.append(f"it has no method `{method}`")
    params = getattr(made, "Params", None)
    if not (isinstance(params, type) and is_dataclass(params)):
        found.append("`Params` is not a dataclass")
    elif not cast("Any", params).__dataclass_params__.frozen:
        found.append("`Params` is not frozen")
    return found or _breaches_of_artifact(plugin, cast("tuple[str, ...]", defects))


def _breaches_of_artifact(plugin: Plugin, defects: tuple[str, ...]) -> list[str]:
    """Names what its detector.json lacks."""
    try:
        artifact = tuned(plugin.name)
    except DefectscopeError as error:
        return [error.message]
    if artifact.artifact.get("name") != plugin.name:
        return [f"its detector.json is that of {artifact.artifact.get('name')!r}"]
    found: list[str] = []
    for defect in defects:
        rules = artifact.severity.get(defect)
        if not isinstance(rules, Mapping) or not ({"always", "measure"} & set(rules)):
            found.append(f"its detector.json has no severity rule for {defect}")
        elif "always" in rules and rules["always"] not in SEVERITIES:
            found.append(f"its detector.json has a severity for {defect} that is none")
    return found


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
