"""Finds detectors by name: folders of this package that publish `DETECTOR`, and plug-ins.

A plug-in is a detector of another installed package (engine/plugins.py). One that cannot be used is
left out of everything and named by `unfit_plugins`; asked for by name, its error is raised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from defectscope.detectors.plugin_class import plugin_class
from defectscope.engine.artifacts import (
    bundled,
    forget,
    own_artifacts,
    read_artifact,
    released_folder,
    tuned,
)
from defectscope.engine.contracts import Detector, Tuned
from defectscope.engine.plugins import discovered
from defectscope.engine.severity_bounds import with_bounds
from defectscope.errors import (
    ArtifactError,
    InvalidParameterError,
    PluginError,
    UnknownDetectorError,
)
from defectscope.near_words import meant
from defectscope.parameters import overridden

_HERE = Path(__file__).parent


@cache
def built_in() -> tuple[str, ...]:
    """Returns the names of the released detectors of this package, in alphabetical order.

    A folder without its artifact is a detector that is still to be tuned or trained.
    """
    artifacts = bundled("model_artifacts")
    folders = sorted(m.name for m in iter_modules([str(_HERE)]) if m.ispkg)
    return tuple(n for n in folders if (artifacts / n / "detector.json").is_file())


@cache
def names() -> tuple[str, ...]:
    """Returns the names of all detectors that can be used, plug-ins too, in alphabetical order."""
    return tuple(sorted((*built_in(), *_plugins()[0])))


def unfit_plugins() -> tuple[PluginError, ...]:
    """Returns why detectors of other packages cannot be used, one error each."""
    return (*_plugins()[1].values(), *discovered().refused)


def rediscover() -> None:
    """Forgets what was found, after packages were installed or removed in a running process."""
    for found in (discovered, built_in, names, not_installed, _plugins, _plain):
        found.cache_clear()
    forget()


@cache
def _plugins() -> tuple[Mapping[str, Any], Mapping[str, PluginError]]:
    """The classes of the plug-ins that are fit, and the errors of those that are not, by name."""
    fit: dict[str, Any] = {}
    unfit: dict[str, PluginError] = {}
    for name, plugin in discovered().plugins.items():
        try:
            if name in {m.name for m in iter_modules([str(_HERE)])}:
                raise PluginError(f"{plugin}: defectscope has a detector or module of that name")
            fit[name] = plugin_class(plugin)
        except PluginError as error:
            unfit[name] = error
    return fit, unfit


def detector_class(name: str) -> Any:
    """Returns a detector's class.

    Raises:
        UnknownDetectorError: There is none of that name.
        PluginError: Another package offers it, and it cannot be used.
    """
    if name in built_in():
        return import_module(f"defectscope.detectors.{name}").DETECTOR
    fit, unfit = _plugins()
    if name in fit:
        return fit[name]
    if name in unfit:
        raise unfit[name]
    known = ", ".join(names())
    raise UnknownDetectorError(f"no detector {name!r}; there are: {known}{meant(name, names())}")


@cache
def not_installed() -> dict[str, str]:
    """Returns what pip still has to install, by detector that cannot run here without it.

    Where the extras cannot name a package, its detector does in `packages`: module to arguments.
    """
    missing: dict[str, str] = {}
    for name in names():
        wanted: Mapping[str, str] = getattr(detector_class(name), "packages", {})
        absent = [how for module, how in wanted.items() if find_spec(module) is None]
        if absent:
            missing[name] = " ".join(absent)
    return missing


@cache
def _plain(name: str, folder: Path, own: bool, _sha256: str) -> Detector:
    """One instance per process and artifact: it holds weights and serves many streams at once."""
    return _made(name, read_artifact(folder, own=own))


def load(
    name: str,
    parameters: Mapping[str, Any] | None = None,
    artifacts: str | PathLike[str] | None = None,
) -> Detector:
    """Returns a detector, with its parameters at their defaults except those given.

    Args:
        name: Which.
        parameters: Parameters to replace.
        artifacts: A folder of the user's own artifacts, see `own_artifacts`.

    Raises:
        UnknownDetectorError: There is none of that name.
        InvalidParameterError: A parameter is unknown, of the wrong type or out of range.
        ArtifactError: Its artifact is missing or damaged.
    """
    kind, artifact = detector_class(name), tuned(name, artifacts)
    if not parameters:
        assert artifact.folder is not None
        return _plain(name, artifact.folder, artifact.own, artifact.sha256)
    bounds = {key: value for key, value in parameters.items() if key.startswith("severity.")}
    others = {key: value for key, value in parameters.items() if key not in bounds}
    return _made(name, with_bounds(artifact, bounds), overridden(kind.Params(), others))


def _made(name: str, artifact: Tuned, params: Any = None) -> Detector:
    if artifact.own:
        _refuse_of_another_version(name, artifact)
    try:
        return detector_class(name)(tuned=artifact, params=params)
    except (KeyError, TypeError, ValueError) as error:
        if not artifact.own:
            raise
        raise ArtifactError(
            f"{artifact.folder}: not made for this version of {name} "
            f"({type(error).__name__}: {error}); export it again"
        ) from None


def _refuse_of_another_version(name: str, artifact: Tuned) -> None:
    released = read_artifact(released_folder(name)).thresholds
    if lacking := sorted(set(released) - set(artifact.thresholds)):
        raise ArtifactError(
            f"{artifact.folder}: not made for this version of {name} "
            f"(no threshold {', '.join(lacking)}); export it again"
        )


def load_all(
    wanted: Sequence[str] | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    artifacts: str | PathLike[str] | None = None,
) -> list[Detector]:
    """Returns some detectors, or all of them, each once.

    Args:
        wanted: Names; None for all whose packages are installed, see `not_installed`.
        parameters: Parameters to replace, by detector.
        artifacts: A folder of the user's own artifacts, see `own_artifacts`.

    Raises:
        InvalidParameterError: Parameters are given for a detector that is not to run.
        ArtifactError: An artifact is missing or damaged, or of a detector that there is not.
    """
    own = own_artifacts(artifacts)
    # Plug-ins are looked for only where that matters: it reads the metadata of every package.
    strange = sorted(set(own) - set(names())) if own else []
    if strange:
        raise ArtifactError(f"own artifacts of {', '.join(strange)}: no such detector")
    if wanted is None:
        wanted = [n for n in names() if n not in not_installed()]
    chosen = list(dict.fromkeys(wanted))
    if not chosen:
        raise InvalidParameterError("no detector was asked for")
    replaced = dict(parameters or {})
    detectors = [load(name, replaced.pop(name, None), artifacts) for name in chosen]
    if replaced:
        first = next(iter(replaced))
        raise InvalidParameterError(
            f"parameters for {', '.join(replaced)}, which does not run{meant(first, chosen)}"
        )
    return detectors
