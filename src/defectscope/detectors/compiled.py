"""Compiles networks for this processor with OpenVINO, and keeps what that took seconds to make.

    weights --PyTorch--> converted network --OpenVINO--> compiled network

A compiled network is kept under a key of everything that it hangs on: the weights' SHA-256, the
network's source, OpenVINO's version, shapes, settings and the processor. The converted one, which
any processor can compile, is kept beside it, or comes with an image. So PyTorch is imported once
for every release, and later runs begin in a tenth of a second.
"""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any, cast

import numpy as np

from defectscope import file_cache

Shapes = Sequence[Sequence[int]]
# One thread: decoding keeps the other cores busy, and a second would cost more than it saves.
_SETTINGS = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1}
# How the files are laid out; another number makes all of them anew.
_FORM = 1
_IMPORTING, _CONVERTING = Lock(), Lock()
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a network is made from.

    Attributes:
        name: Of the network, as its files are called.
        weights_sha256: Of its weights.
        modules: Those that define it; a change in their source makes it anew.
        convert: Returns it as OpenVINO has it; may import PyTorch.
    """

    name: str
    weights_sha256: str
    modules: tuple[str, ...]
    convert: Callable[[], Any]

    def key(self) -> str:
        """Returns what identifies it, however often it is made."""
        sources = [_source_sha256(module) for module in self.modules]
        return _digest([_FORM, self.weights_sha256, sources, runtime().__version__])


class Compiled:
    """Compiled forms of one network, made when they are first wanted; safe between threads."""

    def __init__(self, blueprint: Blueprint, *, precision: str = "f32") -> None:
        """Takes what it is made from.

        Args:
            blueprint: What the network is made from.
            precision: `f32` or `bf16`.
        """
        self._blueprint = blueprint
        self._settings = {**_SETTINGS, "INFERENCE_PRECISION_HINT": precision}
        self._lock = Lock()
        self._converted: Any = None

    def model(self, shapes: Shapes | None = None) -> Any:
        """Returns the network, compiled for this processor.

        Args:
            shapes: Of its inputs, in order; None where the network has its own.
        """
        key = self._blueprint.key()
        stated = None if shapes is None else [list(shape) for shape in shapes]
        label = _digest([key, stated, self._settings, _processor()])
        name = f"{self._blueprint.name}-{label[:32]}.compiled"
        with self._lock:
            kept = file_cache.read(name)
            if kept is not None:
                try:
                    return _core().import_model(BytesIO(kept), "CPU", self._settings)
                except RuntimeError as error:
                    _log.info("%s: %s; made anew", name, error)
            model = self._model(key)
            if stated is not None:
                model = model.clone()
                ports = [port.any_name for port in model.inputs]
                model.reshape(dict(zip(ports, stated, strict=True)))
            made = _core().compile_model(model, "CPU", self._settings)
            exported = made.export_model()
            file_cache.write(name, exported.getvalue())
            return made

    def _model(self, key: str) -> Any:
        if self._converted is None:
            name = f"{self._blueprint.name}-{key[:32]}.network"
            self._converted = _unpacked(file_cache.read(name)) or _unpacked(
                file_cache.shipped(name)
            )
            if self._converted is None:
                # Tracing and filters of warnings belong to the process, not to a thread.
                with _CONVERTING:
                    self._converted = self._blueprint.convert()
                file_cache.write(name, _packed(self._converted))
        return self._converted


@cache
def is_installed() -> bool:
    """Tells whether OpenVINO is there."""
    return find_spec("openvino") is not None


@cache
def runtime() -> Any:
    """Returns the module `openvino`, which reports to nobody that it was imported.

    With openvino_telemetry, which it installs, importing it sends an event to its maker. A tool
    that analyzes unpublished programmes makes no such calls: without that package it makes none.
    """
    telemetry = "openvino_telemetry"
    # Networks are loaded in several threads.
    with _IMPORTING:
        absent = telemetry not in sys.modules
        if absent:
            sys.modules[telemetry] = cast("Any", None)
        try:
            import openvino
        finally:
            if absent:
                del sys.modules[telemetry]
    return cast("Any", openvino)


@cache
def has_bf16() -> bool:
    """Tells whether this processor multiplies bfloat16 itself; emulated, it is slower than fp32."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def read_network(path: Path) -> Any:
    """Returns a network of a format that OpenVINO reads, such as TensorFlow Lite."""
    return _core().read_model(path)


def traced(network: Any, example: tuple[Any, ...], shapes: Sequence[Sequence[int]]) -> Any:
    """Returns a PyTorch network as OpenVINO has it.

    Args:
        network: In evaluation mode.
        example: What to trace it with.
        shapes: Of its inputs; -1 where any size will do.
    """
    import torch

    with torch.no_grad(), warnings.catch_warnings():
        # Tracing warns that sizes become constants, which they are for every input of these shapes;
        # and OpenVINO traces as PyTorch would rather not.
        warnings.simplefilter("ignore", cast("Any", torch.jit).TracerWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        # Left to OpenVINO, tracing would check itself with further runs, at twice the time.
        form = cast("Any", torch.jit).trace(network, example, check_trace=False)
        return runtime().convert_model(form, example_input=example, input=[list(s) for s in shapes])


@cache
def _core() -> Any:
    return runtime().Core()


@cache
def _processor() -> list[str]:
    """Returns what tells processors apart for which networks are compiled differently."""
    core = _core()
    flags = ""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        pass
    capabilities = sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    return [platform.machine(), core.get_property("CPU", "FULL_DEVICE_NAME"), *capabilities, flags]


@cache
def _source_sha256(module: str) -> str:
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()


def _digest(parts: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _packed(model: Any) -> bytes:
    """Returns a converted network as one file: length of its description, description, weights."""
    with tempfile.TemporaryDirectory(prefix="defectscope-network-") as scratch:
        path = Path(scratch) / "network.xml"
        runtime().save_model(model, path, compress_to_fp16=False)
        text, weights = path.read_bytes(), path.with_suffix(".bin").read_bytes()
    return len(text).to_bytes(8, "little") + text + weights


def _unpacked(data: bytes | None) -> Any:
    """Returns the converted network of `_packed`; None where this OpenVINO cannot read it."""
    if data is None:
        return None
    end = 8 + int.from_bytes(data[:8], "little")
    weights = np.frombuffer(data[end:], np.uint8)
    try:
        return _core().read_model(data[8:end], runtime().Tensor(weights))
    except RuntimeError as error:
        _log.info("a network that was kept cannot be read (%s); made anew", error)
        return None
