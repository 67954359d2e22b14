"""The handlers' folders, and a handler as TorchServe would make it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from defectscope.serving.base import DetectorHandler

ROOT = Path(__file__).parents[2]
HANDLERS = sorted(p.parent for p in (ROOT / "handlers").glob("*/handler.py"))


def handler_of(folder: Path) -> DetectorHandler:
    """Returns the handler of a folder, as TorchServe would make it."""
    name = f"handler_of_{folder.name}"
    spec = importlib.util.spec_from_file_location(name, folder / "handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (kind,) = (
        each for each in vars(module).values() if isinstance(each, type) and each.__module__ == name
    )
    return kind()
