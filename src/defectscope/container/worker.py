"""Starts a worker of TorchServe that loads PyTorch when something uses it, and not before.

TorchServe's worker imports PyTorch to know a tensor among answers, which takes 1.4 s of processor
time and 150 MB in every worker. Detectors run on OpenVINO and answer with text, so that nothing
ever asks. TorchServe's frontend runs this in place of Python, with its own script and what belongs
to it as arguments.
"""

from __future__ import annotations

import importlib
import os
import runpy
import shlex
import sys
import types
from pathlib import Path
from typing import Any

# The one module of TorchServe's worker that imports PyTorch.
_IMPORTS_TORCH = "ts.protocol.otf_message_handler"


class _OnUse(types.ModuleType):
    """Stands for a module, which is imported when an attribute of it is read."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            raise AttributeError(f"{self.__name__} is not loaded yet")
        return getattr(importlib.import_module(self.__name__), name)


def import_with_torch_on_use(module: str) -> None:
    """Imports a module that finds a stand-in for PyTorch; who imports PyTorch later gets it."""
    if "torch" in sys.modules:
        importlib.import_module(module)
        return
    sys.modules["torch"] = _OnUse("torch")
    try:
        importlib.import_module(module)
    finally:
        del sys.modules["torch"]


def write_launcher(path: Path) -> Path:
    """Writes a program that starts workers this way, and returns it.

    Where it lies on a file system that runs no programs, Python itself is returned.
    """
    words = shlex.join([sys.executable, __file__])
    path.write_text(f'#!/bin/sh\nexec {words} "$@"\n', "utf-8")
    path.chmod(0o700)
    return path if os.access(path, os.X_OK) else Path(sys.executable)


def main(arguments: list[str]) -> None:
    """Runs the script that is named first, as Python would, with the other arguments."""
    script = arguments[0]
    sys.argv = arguments
    # In place of the folder of this file.
    sys.path[0] = str(Path(script).parent)
    import_with_torch_on_use(_IMPORTS_TORCH)
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
