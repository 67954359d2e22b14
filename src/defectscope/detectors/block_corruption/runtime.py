"""Runs the network where it runs fastest: OpenVINO or PyTorch on a CPU, PyTorch on CUDA.

docs/results/block_corruption.md has the measurements behind the choice.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.accelerator import has_cuda
from defectscope.detectors.compiled import Blueprint, Compiled, has_bf16, is_installed

if TYPE_CHECKING:
    from torch import nn

Engine = Literal["openvino", "torch"]
Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]

# Side of the frame that is traced; smaller ones are left to PyTorch, which they do not keep busy.
_TRACED_PX = 64
# Compiled shapes that are kept: an asset has one, a busy worker sees a handful.
_KEPT_SHAPES = 4
_PACKAGE = "defectscope.detectors.block_corruption"
_MODULES = tuple(f"{_PACKAGE}.{name}" for name in ("backbone", "network", "pair", "seams"))


class Runtime:
    """One network, ready for frames of any size; safe to share between threads.

    Args:
        network: Returns the network, in evaluation mode, fp32; called when PyTorch is needed.
        weights_sha256: Of its weights.
        engine: Which runtime on CPUs; None takes the fastest that is installed.
        reduced: Compute in bfloat16 where the processor has it.
    """

    def __init__(
        self,
        network: Callable[[], nn.Module],
        weights_sha256: str,
        *,
        engine: Engine | None = None,
        reduced: bool = True,
    ) -> None:
        self._device = "cuda" if engine is None and has_cuda() else "cpu"
        fastest: Engine = "openvino" if is_installed() and self._device == "cpu" else "torch"
        self.engine: Engine = engine or fastest
        self._network = network
        self._reduced = reduced
        self._lock = Lock()
        self._torch: Any = None
        self._compiled: dict[tuple[int, ...], Callable[..., Any]] = {}
        self._forms: Compiled | None = None
        if self.engine == "openvino":
            blueprint = Blueprint("block_corruption", weights_sha256, _MODULES, self._converted)
            precision = "bf16" if reduced and has_bf16() else "f32"
            self._forms = Compiled(blueprint, precision=precision)

    def __call__(self, rgb: NDArray[np.uint8], previous: NDArray[np.uint8]) -> Outputs:
        """Returns the maps of damage and the decision logits.

        Args:
            rgb: (height, width, 3) frame.
            previous: The one presented before it.

        Returns:
            Probabilities (2, rows, columns) and logits (2,): the frame first, then the one
            before it.
        """
        if self._is_for_torch(rgb.shape):
            return self._by_torch()(rgb, previous)
        with self._lock:
            found = self._for(rgb.shape)((rgb[None], previous[None]))
        return np.array(found[0][0], np.float32), np.array(found[1][0], np.float32)

    def prepare(self, width: int, height: int) -> None:
        """Loads what frames of a size need, so that the first need not wait for it."""
        if self._is_for_torch((height, width)):
            self._by_torch()
            return
        with self._lock:
            self._for((height, width, 3))

    def _is_for_torch(self, shape: tuple[int, ...]) -> bool:
        return self.engine == "torch" or min(shape[:2]) < _TRACED_PX

    def _by_torch(self) -> Callable[..., Outputs]:
        with self._lock:
            if self._torch is None:
                from defectscope.detectors.block_corruption.pair import TorchPair

                self._torch = TorchPair(self._network(), self._device, reduced=self._reduced)
            return self._torch

    def _for(self, shape: tuple[int, ...]) -> Callable[..., Any]:
        compiled = self._compiled.get(shape)
        if compiled is None:
            assert self._forms is not None
            if len(self._compiled) >= _KEPT_SHAPES:
                self._compiled.pop(next(iter(self._compiled)))
            compiled = self._compiled[shape] = self._forms.model([(1, *shape)] * 2)
        return compiled

    def _converted(self) -> Any:
        from defectscope.detectors.block_corruption.pair import converted

        return converted(self._network(), _TRACED_PX)
