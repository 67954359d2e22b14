"""Detectors of other packages: found by entry points, without importing what they name.

A package offers a detector in its own pyproject.toml:

    [project.entry-points."defectscope.detectors"]
    bright_frames = "acme_bright:DETECTOR"

The name is the detector's; the value names a package folder and the detector's class in it, as in
defectscope/detectors/<name>/. `detector.json`, and weights where there are any, lie in that folder.
"""

from __future__ import annotations

import importlib.util
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import MappingProxyType

from defectscope.errors import PluginError

GROUP = "defectscope.detectors"
_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Plugin:
    """A detector that an installed package offers.

    Attributes:
        name: The detector's name.
        package: Name of the distribution, as pip knows it.
        version: Version of the distribution.
        module: Package folder that holds the detector.
        attribute: Name of its class there.
    """

    name: str
    package: str
    version: str
    module: str
    attribute: str

    def __str__(self) -> str:
        """Names it as messages do."""
        return f"{self.name} of the package {self.package}"

    @property
    def import_name(self) -> str:
        """The package at the top, which an archive must bring whole."""
        return self.module.partition(".")[0]

    def root(self) -> Path:
        """Returns the folder of the package at the top; imports nothing.

        Raises:
            PluginError: There is none on the disk.
        """
        try:
            spec = importlib.util.find_spec(self.import_name)
        except (ImportError, ValueError):
            spec = None
        places = list(spec.submodule_search_locations or ()) if spec is not None else []
        if not places or not Path(places[0]).is_dir():
            raise PluginError(f"{self}: {self.import_name} is not a package folder on the disk")
        return Path(places[0])

    def folder(self) -> Path:
        """Returns the folder that holds the detector's artifact.

        Raises:
            PluginError: The entry point names no folder, or one without detector.json.
        """
        folder = self.root().joinpath(*self.module.split(".")[1:])
        if not (folder / "detector.json").is_file():
            raise PluginError(f"{self}: {self.module} is no package folder with a detector.json")
        return folder


@dataclass(frozen=True, slots=True)
class Discovered:
    """What the installed packages offer.

    Attributes:
        plugins: By name of the detector.
        refused: Why the others cannot be used, one error each.
    """

    plugins: Mapping[str, Plugin]
    refused: tuple[PluginError, ...]


@cache
def discovered() -> Discovered:
    """Returns the detectors that installed packages offer, by their metadata alone."""
    offered: dict[str, list[Plugin]] = {}
    refused: list[PluginError] = []
    for point in entry_points(group=GROUP):
        try:
            plugin = _plugin(point)
        except PluginError as error:
            refused.append(error)
            continue
        offered.setdefault(plugin.name, []).append(plugin)
    usable: dict[str, Plugin] = {}
    for name, plugins in sorted(offered.items()):
        if len(plugins) == 1:
            usable[name] = plugins[0]
            continue
        packages = " and ".join(sorted(p.package for p in plugins))
        refused.append(PluginError(f"{name} is offered by the packages {packages}: keep one"))
    return Discovered(MappingProxyType(usable), tuple(refused))


def _plugin(point: EntryPoint) -> Plugin:
    package = "an unknown package" if point.dist is None else str(point.dist.name)
    version = "" if point.dist is None else str(point.dist.version)
    plugin = Plugin(point.name, package, version, point.module, point.attr)
    if not _SNAKE_CASE.fullmatch(point.name) or keyword.iskeyword(point.name):
        raise PluginError(f"{plugin}: a detector's name is in snake_case, as in bright_frames")
    if not point.attr or "." in point.attr:
        raise PluginError(f"{plugin}: {point.value!r} names no class, as in package:DETECTOR")
    return plugin
