"""Searches for motion with the WebAssembly module beside the measuring kernel."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import wasmtime
from numpy.typing import NDArray

from defectscope.errors import ArtifactError
from defectscope.features.fast_call import fast_call
from defectscope.features.kernel import compiled_kernel

_PAGE_BYTES = 65_536
_SLACK_BYTES = 64
_TASK_WORDS = 8
# Planes of one frame, and where each begins: reduced by 2, by 4 and by 8.
_LEVELS = 3
Plane = NDArray[np.int16]


class MotionKernel:
    """Searches frames of one size; for one thread at a time.

    The memory holds, in this order: task, both frames' planes, results, scratch.

    Args:
        height: Rows of a frame reduced by 2, whole fours.
        width: Samples of a row, whole fours.
    """

    def __init__(self, height: int, width: int) -> None:
        self.size = (height, width)
        engine, module = compiled_kernel("motion")
        self._store = wasmtime.Store(engine)
        exports = wasmtime.Instance(self._store, module, []).exports(self._store)
        function: Any = exports["search"]
        memory: Any = exports["memory"]
        scratch_bytes: Any = exports["scratch_bytes"]
        heap_base: Any = exports["__heap_base"]
        sizes = [(height >> level, width >> level) for level in range(_LEVELS)]
        planes_bytes = 2 * sum(rows * columns for rows, columns in sizes)
        coarse_bytes = 2 * sizes[-1][0] * sizes[-1][1]
        at = -(-heap_base.value(self._store) // 64) * 64
        places: list[int] = []
        for count in (
            4 * _TASK_WORDS,
            planes_bytes + _SLACK_BYTES,
            planes_bytes + _SLACK_BYTES,
            4 * height * width,
            coarse_bytes,
            coarse_bytes,
            scratch_bytes(self._store, width, height),
        ):
            places.append(at)
            at = -(-(at + count) // 64) * 64
        missing_bytes = at + _SLACK_BYTES - memory.data_len(self._store)
        if missing_bytes > 0:
            memory.grow(self._store, -(-missing_bytes // _PAGE_BYTES))
        # Views are made after the memory has grown: growing may move it.
        held = np.frombuffer(
            memory.get_buffer_ptr(self._store, memory.data_len(self._store)), np.uint8
        )
        task, now, other, index, down, across, scratch = places

        def view(address: int, kind: str, rows: int, columns: int) -> NDArray[Any]:
            flat = held[address : address + np.dtype(kind).itemsize * rows * columns].view(kind)
            return flat.reshape(rows, columns)

        def planes(address: int) -> list[NDArray[Any]]:
            out: list[NDArray[Any]] = []
            for rows, columns in sizes:
                out.append(view(address, "<i2", rows, columns))
                address += 2 * rows * columns
            return out

        self._now, self._other = planes(now), planes(other)
        self._found = (
            view(index, "<i4", height, width),
            view(down, "<i2", *sizes[-1]),
            view(across, "<i2", *sizes[-1]),
        )
        words = held[task : task + 4 * _TASK_WORDS].view("<u4")
        words[:] = (width, height, now, other, scratch, index, down, across)
        self._call = fast_call(function, self._store, task)

    def search(
        self, now: Sequence[Plane], other: Sequence[Plane]
    ) -> tuple[NDArray[np.int32], Plane, Plane]:
        """Returns places in the other frame, and motion where both are reduced by 8.

        Args:
            now: Planes reduced by 2, by 4 and by 8, samples of 0 to 2040.
            other: Likewise.
        """
        for mine, theirs in zip((*self._now, *self._other), (*now, *other), strict=True):
            np.copyto(mine, theirs)
        if self._call() != 1:
            raise ArtifactError(f"motion.wasm refuses frames of {self.size}")
        index, down, across = (each.copy() for each in self._found)
        return index, down, across


_kept = threading.local()


def motion_kernel(height: int, width: int) -> MotionKernel:
    """Returns this thread's search for a size; one is kept, as an asset has one size."""
    kernel: MotionKernel | None = getattr(_kept, "kernel", None)
    if kernel is None or kernel.size != (height, width):
        kernel = _kept.kernel = MotionKernel(height, width)
    return kernel
