"""Measures frames with the WebAssembly kernel, in the process, at the speed of native code."""

from __future__ import annotations

import hashlib
import logging
import platform
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import wasmtime
from numpy.typing import NDArray

from defectscope import file_cache
from defectscope.errors import ArtifactError
from defectscope.features.catalogue import CHROMA_GROUPS
from defectscope.features.extractor import Extractor
from defectscope.features.fast_call import fast_call
from defectscope.features.geometry import PlaneGeometry, row_step

_PAGE_BYTES = 65_536
# The kernel loads whole vectors, up to this far past the last sample of a plane.
_SLACK_BYTES = 64
_FRAME_WORDS = 14
_log = logging.getLogger(__name__)


def load_kernel(directory: Any = None, name: str = "kernel") -> bytes:
    """Returns a module's bytes after comparing them with their released SHA-256.

    Args:
        directory: Where `kernel.wasm` and `kernel.wasm.sha256` lie; by default, in the package.
        name: The file's name without its ending.

    Raises:
        ArtifactError: A file is missing, or the kernel is not the released one.
    """
    folder = files("defectscope.features") if directory is None else directory
    try:
        kernel = folder.joinpath(f"{name}.wasm").read_bytes()
        expected = folder.joinpath(f"{name}.wasm.sha256").read_text("ascii").split()[0]
    except (OSError, IndexError, UnicodeDecodeError) as error:
        raise ArtifactError(f"the measuring kernel cannot be read: {error}") from error
    found = hashlib.sha256(kernel).hexdigest()
    if found != expected:
        raise ArtifactError(f"{name}.wasm has SHA-256 {found}, released was {expected}")
    return kernel


@lru_cache(maxsize=2)
def compiled_kernel(name: str = "kernel") -> tuple[wasmtime.Engine, wasmtime.Module]:
    """Returns a module, compiled once for each version: it takes 0.1 s, and is kept on disk."""
    engine, kernel = wasmtime.Engine(), load_kernel(name=name)
    name = f"{name}-{hashlib.sha256(kernel).hexdigest()[:32]}-{platform.machine()}.compiled"
    kept = file_cache.read(name)
    if kept is not None:
        try:
            # Wasmtime looks whether its version, its settings and the processor are the same.
            return engine, wasmtime.Module.deserialize(engine, kept)
        except wasmtime.WasmtimeError as error:
            _log.info("%s: %s; compiled anew", name, error)
    module = wasmtime.Module(engine, kernel)
    file_cache.write(name, bytes(module.serialize()))
    return engine, module


class WasmExtractor(Extractor):
    """Measures the frames of one stream; for one thread at a time.

    The memory holds, in this order: frame description, record, scratch, two luma planes that take
    turns (so that the one before need not be copied in again), U and V.
    """

    def _prepare(self, geometry: PlaneGeometry) -> None:
        engine, module = compiled_kernel()
        self._store = wasmtime.Store(engine)
        exports = wasmtime.Instance(self._store, module, []).exports(self._store)
        sample_bytes = 1 if geometry.bit_depth == 8 else 2
        function: Any = exports["measure_8" if sample_bytes == 1 else "measure_16"]
        memory: Any = exports["memory"]
        scratch_bytes: Any = exports["scratch_bytes"]
        heap_base: Any = exports["__heap_base"]

        stride = _aligned(geometry.width * sample_bytes)
        chroma_stride = _aligned(geometry.chroma_width * sample_bytes)
        luma_bytes = stride * geometry.height + _SLACK_BYTES
        chroma_bytes = chroma_stride * geometry.chroma_height + _SLACK_BYTES
        at = _aligned(heap_base.value(self._store))
        places: list[int] = []
        for size in (
            4 * _FRAME_WORDS,
            4 * self.layout.words,
            scratch_bytes(self._store, geometry.width),
            luma_bytes,
            luma_bytes,
            chroma_bytes,
            chroma_bytes,
        ):
            places.append(at)
            at = _aligned(at + size)
        missing_bytes = at - memory.data_len(self._store)
        if missing_bytes > 0:
            memory.grow(self._store, -(-missing_bytes // _PAGE_BYTES))

        # Views are made after the memory has grown: growing may move it.
        self._memory = np.frombuffer(
            memory.get_buffer_ptr(self._store, memory.data_len(self._store)), np.uint8
        )
        address, record, scratch, first, second, u, v = places
        self._call = fast_call(function, self._store, address)
        dtype = np.dtype("u1" if sample_bytes == 1 else "<u2")

        def plane(address: int, width: int, height: int, pitch: int) -> NDArray[Any]:
            rows = self._memory[address : address + pitch * height].view(dtype)
            return rows.reshape(height, pitch // sample_bytes)[:, :width]

        self._luma_addresses = (first, second)
        self._luma = tuple(
            plane(address, geometry.width, geometry.height, stride) for address in (first, second)
        )
        # Of U and V only the sampled rows are measured: the others need not be copied in.
        step = row_step(geometry.chroma_width, geometry.chroma_height)
        self._chroma_rows = slice(step // 2, None, step)
        self._chroma = tuple(
            plane(address, geometry.chroma_width, geometry.chroma_height, chroma_stride)[
                self._chroma_rows
            ]
            for address in (u, v)
            if geometry.chroma_width and self.layout.groups & CHROMA_GROUPS
        )
        self._record = self._memory[record : record + 4 * self.layout.words].view("<u4")
        self._frame = self._memory[address : address + 4 * _FRAME_WORDS].view("<u4")
        self._frame[:] = (
            geometry.width,
            geometry.height,
            stride,
            geometry.bit_depth,
            geometry.chroma_width,
            geometry.chroma_height,
            chroma_stride,
            int(self.layout.groups),
            first,
            0,
            u,
            v,
            record,
            scratch,
        )
        self._turn = 0

    def _forget(self) -> None:
        self._frame[9] = 0

    def _measure(self, planes: list[NDArray[Any]], record: NDArray[np.uint32]) -> None:
        turn = self._turn
        np.copyto(self._luma[turn], planes[0])
        if self._chroma:
            rows = self._chroma_rows
            for mine, theirs in zip(self._chroma, planes[1:], strict=True):
                np.copyto(mine, theirs[rows])
        frame = self._frame
        address = self._luma_addresses[turn]
        frame[8] = address
        if self._call() != 4 * self.layout.words:
            raise ArtifactError("kernel.wasm and the catalogue disagree about the record")
        record[:] = self._record
        frame[9] = address
        self._turn = 1 - turn


def _aligned(count: int) -> int:
    return -(-count // 64) * 64
