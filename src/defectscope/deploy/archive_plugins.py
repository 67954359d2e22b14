"""Detectors of other packages in archives: their code goes along whole, or they are refused."""

from __future__ import annotations

import logging
import re
import shutil
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path

from defectscope.engine.plugins import Plugin, discovered
from defectscope.errors import DefectscopeError, DeployError

_LOG = logging.getLogger("defectscope.deploy")
# What a handler of all detectors says, and is replaced to serve one.
_SERVES_ALL = "serves = all_detectors()"
_COMPILED = {".so", ".pyd", ".dylib", ".dll"}
_LEFT_OUT = {"__pycache__", "tests"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def plugin_names() -> tuple[str, ...]:
    """Returns the names of the detectors that other installed packages offer.

    One whose name a handler of defectscope has is not among them.
    """
    from defectscope.engine.artifacts import bundled

    handlers = bundled("handlers")
    return tuple(n for n in discovered().plugins if not (handlers / n).is_dir())


def plugin_root(name: str) -> Path:
    """Returns the folder of the package that offers a detector.

    Raises:
        DeployError: It is not on the disk.
    """
    try:
        return discovered().plugins[name].root()
    except DefectscopeError as error:
        raise DeployError(error.message) from None


def stage_plugin(name: str, staged: Path) -> None:
    """Lays out the code of a detector's package, what names it, and a handler.

    A package may bring `handler.py` and `model-config.yaml` beside its detector.json; else the
    handler is that of all detectors, serving this one alone.

    Raises:
        DeployError: An archive cannot bring this package; the message says why.
    """
    from defectscope.engine.artifacts import bundled

    plugin = discovered().plugins[name]
    _stage_package(plugin, staged)
    own, shared = plugin.folder(), bundled("handlers") / "all_detectors"
    config = own if (own / "model-config.yaml").is_file() else shared
    shutil.copyfile(config / "model-config.yaml", staged / "model-config.yaml")
    if (own / "handler.py").is_file():
        shutil.copyfile(own / "handler.py", staged / "handler.py")
        return
    text = (shared / "handler.py").read_text("utf-8")
    if _SERVES_ALL not in text:
        raise DeployError(f"{plugin} brings no handler.py, and that of all detectors has changed")
    one = text.replace(_SERVES_ALL, f'serves = ("{name}",)')
    (staged / "handler.py").write_text(one, "utf-8")


def stage_plugins_that_fit(staged: Path) -> None:
    """Lays out every plug-in that an archive can bring; logs which it cannot, and why."""
    for name in plugin_names():
        try:
            _stage_package(discovered().plugins[name], staged)
        except DeployError as error:
            _LOG.warning("left out of the archive: %s", error.message)


def _stage_package(plugin: Plugin, staged: Path) -> None:
    try:
        root = plugin.root()
        plugin.folder()
    except DefectscopeError as error:
        raise DeployError(error.message) from None
    _refuse_what_cannot_travel(plugin, root)
    target = staged / plugin.import_name
    shutil.copytree(root, target, ignore=shutil.ignore_patterns(*_LEFT_OUT), dirs_exist_ok=True)
    # In the archive, too, the detector is found by its package's entry points.
    listed = staged / "defectscope" / "_bundled" / "model_artifacts" / "plugins.txt"
    listed.parent.mkdir(parents=True, exist_ok=True)
    with listed.open("a", encoding="utf-8") as file:
        file.write(f"{plugin.name} {plugin.package} {plugin.version}\n")
    found = distribution(plugin.package)
    info = staged / f"{plugin.import_name}-{plugin.version}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {plugin.package}\nVersion: {plugin.version}\n", "utf-8"
    )
    (info / "entry_points.txt").write_text(found.read_text("entry_points.txt") or "", "utf-8")


def _refuse_what_cannot_travel(plugin: Plugin, root: Path) -> None:
    """Refuses compiled code, which fits one machine, and packages that the image does not have."""
    compiled = sorted(p.name for p in root.rglob("*") if p.suffix in _COMPILED)
    if compiled:
        raise DeployError(f"{plugin} has compiled code ({compiled[0]}): install it into the image")
    try:
        there = {_normal(line) for line in requires("defectscope") or ()} | {"defectscope"}
    except PackageNotFoundError:
        there = {"defectscope", "numpy", "scipy"}
    wanted = [line for line in requires(plugin.package) or () if "extra ==" not in line]
    foreign = sorted({_normal(line) for line in wanted} - there)
    if foreign:
        raise DeployError(
            f"{plugin} needs {', '.join(foreign)}, which the image does not have: "
            "install both into an image of your own"
        )


def _normal(requirement: str) -> str:
    found = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found.group()).lower() if found else requirement
