"""Runs the network where it runs fastest: OpenVINO or PyTorch on a CPU, PyTorch on CUDA.

docs/results/block_corruption.md has the measurements behind the choice.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from threading import Lock
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Engine = Literal["openvino", "torch"]
Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]

# Side of the frame that is traced; smaller ones are left to PyTorch, which they do not keep busy.
_TRACED_PX = 64
# Compiled shapes that are kept: an asset has one, a busy worker sees a handful.
_KEPT_SHAPES = 4


class _Pair(nn.Module):
    """Takes bytes, so that scaling to the network's range is compiled along."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, rgb: torch.Tensor, previous: torch.Tensor) -> Any:
        """Takes (1, height, width, 3) uint8 frames."""
        now, before = rgb.permute(0, 3, 1, 2), previous.permute(0, 3, 1, 2)
        logits, decision = self.network(now, before)
        return logits.sigmoid(), decision


class Runtime:
    """One network, ready for frames of any size; safe to share between threads.

    Args:
        network: In evaluation mode, fp32.
        engine: Which runtime on CPUs; None takes the fastest that is installed.
        reduced: Compute in bfloat16 where the processor has it.
    """

    def __init__(
        self, network: nn.Module, *, engine: Engine | None = None, reduced: bool = True
    ) -> None:
        self.engine: Engine = engine or (
            "openvino" if importlib.util.find_spec("openvino") is not None else "torch"
        )
        self._device = "cuda" if engine is None and torch.cuda.is_available() else "cpu"
        if self._device == "cuda":
            self.engine = "torch"
        self._pair = _Pair(network).to(self._device).eval()
        self._reduced = reduced and (self._device == "cuda" or _has_bf16())
        self._lock = Lock()
        self._model: Any = None
        self._compiled: dict[tuple[int, ...], Callable[..., Any]] = {}
        if self.engine == "torch":
            cast("Any", self._pair).to(memory_format=torch.channels_last)

    def __call__(self, rgb: NDArray[np.uint8], previous: NDArray[np.uint8]) -> Outputs:
        """Returns the maps of damage and the decision logits.

        Args:
            rgb: (height, width, 3) frame.
            previous: The one presented before it.

        Returns:
            Probabilities (2, rows, columns) and logits (2,): the frame first, then the one
            before it.
        """
        if self.engine == "torch" or min(rgb.shape[:2]) < _TRACED_PX:
            return self._torch(rgb, previous)
        with self._lock:
            compiled = self._compiled.get(rgb.shape)
            if compiled is None:
                if len(self._compiled) >= _KEPT_SHAPES:
                    self._compiled.pop(next(iter(self._compiled)))
                compiled = self._compiled[rgb.shape] = self._compile(rgb.shape)
            found = compiled((rgb[None], previous[None]))
        return np.array(found[0][0], np.float32), np.array(found[1][0], np.float32)

    def _torch(self, rgb: NDArray[np.uint8], previous: NDArray[np.uint8]) -> Outputs:
        now, before = (
            torch.from_numpy(np.ascontiguousarray(p))[None].to(self._device)
            for p in (rgb, previous)
        )
        with (
            torch.inference_mode(),
            torch.autocast(self._device, torch.bfloat16, enabled=self._reduced),
        ):
            cells, decision = self._pair(now, before)
        return cells[0].float().cpu().numpy(), decision[0].float().cpu().numpy()

    def _compile(self, shape: tuple[int, ...]) -> Callable[..., Any]:
        import openvino

        ov = cast("Any", openvino)
        if self._model is None:
            self._model = self._converted(ov)
        model = self._model.clone()
        model.reshape({port.any_name: [1, *shape] for port in model.inputs})
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if self._reduced else "f32",
            # Decoding keeps the other cores busy: a second thread would cost more than it saves.
            "INFERENCE_NUM_THREADS": 1,
        }
        return cast("Callable[..., Any]", ov.Core().compile_model(model, "CPU", settings))

    def _converted(self, ov: Any) -> Any:
        """The network as OpenVINO has it, for any size; traced once on a small frame."""
        example = torch.zeros((1, _TRACED_PX, _TRACED_PX, 3), dtype=torch.uint8)
        free = [1, -1, -1, 3]
        with torch.no_grad(), warnings.catch_warnings():
            # Tracing warns that the number of strongest cells becomes a constant, which it is for
            # every frame that comes this way; and OpenVINO traces as PyTorch would rather not.
            warnings.simplefilter("ignore", cast("Any", torch.jit).TracerWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            # Left to OpenVINO, tracing would check itself with further runs, at twice the time.
            traced = cast("Any", torch.jit).trace(self._pair, (example, example), check_trace=False)
            return ov.convert_model(traced, example_input=(example, example), input=[free, free])


def _has_bf16() -> bool:
    """Whether this processor multiplies bfloat16 itself; emulation would be slower than fp32."""
    backend = cast("Any", torch.backends)
    return bool(cast("Any", torch).ops.mkldnn._is_mkldnn_bf16_supported()) and (
        backend.cpu.get_cpu_capability() in ("AVX512", "AVX2", "DEFAULT")
    )
