"""Runs the network with OpenVINO: PyTorch is imported to convert it, once for every release.

In fp32, which is exact and twice as fast as PyTorch in bfloat16: docs/results/startup.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from defectscope.detectors.audio_artifacts.layout import (
    Floats,
    batch_of_near,
    batch_of_windows,
)
from defectscope.detectors.audio_artifacts.spectra import Spectra
from defectscope.detectors.compiled import Blueprint, Compiled

if TYPE_CHECKING:
    from defectscope.detectors.audio_artifacts.network import Network

_PACKAGE = "defectscope.detectors.audio_artifacts"
_MODULES = tuple(
    f"{_PACKAGE}.{name}" for name in ("inference", "layout", "network", "spectra", "surroundings")
)


class CompiledScorer:
    """Embeds and evaluates windows, see `layout.WindowScorer`; one instance serves many streams.

    Args:
        network: Returns the network, in evaluation mode; called when it is to be converted.
        weights_sha256: Of its weights.
    """

    def __init__(self, network: Callable[[], Network], weights_sha256: str) -> None:
        self._network = network
        self._weights_sha256 = weights_sha256
        self._lock = Lock()
        self._both: tuple[Any, Any] | None = None

    def embed_windows(self, windows: Sequence[Spectra]) -> Floats:
        """Returns what at most `BATCH` windows say by themselves, (windows, EMBEDDING)."""
        batch = batch_of_windows(windows)
        with self._lock:
            found = self._loaded()[0](list(batch))[0]
            return np.array(found[: len(windows)], np.float32)

    def classify(self, near: Sequence[Sequence[Floats | None]]) -> Floats:
        """Returns the logits, (windows, 4), of at most `BATCH` windows."""
        batch = batch_of_near(near)
        with self._lock:
            found = self._loaded()[1](list(batch))[0]
            return np.array(found[: len(near)], np.float32)

    def prepare(self) -> None:
        """Loads the network, so that the first windows need not wait for it."""
        with self._lock:
            self._loaded()

    def _loaded(self) -> tuple[Any, Any]:
        if self._both is None:
            self._both = (
                self._compiled("windows", self._converted_windows),
                self._compiled("near", self._converted_near),
            )
        return self._both

    def _compiled(self, part: str, convert: Callable[[], Any]) -> Any:
        name = f"audio_artifacts-{part}"
        return Compiled(Blueprint(name, self._weights_sha256, _MODULES, convert)).model()

    def _converted_windows(self) -> Any:
        from defectscope.detectors.audio_artifacts.inference import converted_windows

        return converted_windows(self._network())

    def _converted_near(self) -> Any:
        from defectscope.detectors.audio_artifacts.inference import converted_near

        return converted_near(self._network())
