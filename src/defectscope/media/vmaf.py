"""VMAF v1 and CAMBI of pairs of frames, by libvmaf in a process of its own.

Both frames of a pair go through one pipe, the measured one above its reference, so that no clock
no second pipe can put them apart.
Source: Netflix, vmaf, model `vmaf_v1.0.16_3d0h` (seen from three heights away); P. Tandon et al.,
CAMBI: Contrast-aware Multiscale Banding Index, PCS 2021.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from defectscope.errors import UnreadableMediaError
from defectscope.media.ffmpeg_program import ffmpeg_program
from defectscope.media.pixels import planes_of

MODEL = "vmaf_v1.0.16_3d0h"
NAMES = ("vmaf", "cambi")
_LOG = "vmaf.json"
_ENDS_S = 600.0
_MOST_TEXT = 300


class Vmaf:
    """Measures pairs of frames of one size in order; a context manager.

    Values come with `close`: libvmaf writes them at its end.
    """

    def __init__(self) -> None:
        """Finds the program.

        Raises:
            InvalidParameterError: It is not installed.
        """
        self._program = ffmpeg_program("VMAF and CAMBI", "vmaf")
        self._folder = tempfile.TemporaryDirectory(prefix="defectscope-vmaf-")
        self._child: subprocess.Popen[bytes] | None = None
        self._complaints = b""
        self._listener: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
        self._reap()
        self._folder.cleanup()

    def add(self, reference: Any, measured: Any) -> None:
        """Takes the next pair: native 4:2:0 frames of one size and depth.

        Raises:
            UnreadableMediaError: libvmaf cannot measure such frames.
        """
        if self._child is None:
            self._start(measured)
        depth = max(component.bits for component in measured.format.components)
        pairs = zip(planes_of(measured, depth), planes_of(reference, depth), strict=True)
        assert self._child is not None
        assert self._child.stdin is not None
        try:
            for upper, lower in pairs:
                self._child.stdin.write(np.ascontiguousarray(upper.pixels).tobytes())
                self._child.stdin.write(np.ascontiguousarray(lower.pixels).tobytes())
        except OSError:
            raise self._failed() from None

    def close(self) -> dict[str, NDArray[np.float64]]:
        """Returns (pairs,) values by name, once all pairs were given.

        Raises:
            UnreadableMediaError: libvmaf failed.
        """
        if self._child is None:
            return {name: np.zeros(0) for name in NAMES}
        assert self._child.stdin is not None
        try:
            self._child.stdin.close()
            status = self._child.wait(_ENDS_S)
            found: Any = json.loads((Path(self._folder.name) / _LOG).read_text("utf-8"))
            values = {
                name: np.array([frame["metrics"][name] for frame in found["frames"]], np.float64)
                for name in NAMES
            }
        except (OSError, ValueError, KeyError, subprocess.TimeoutExpired):
            raise self._failed() from None
        if status:
            raise self._failed()
        return values

    def _start(self, frame: Any) -> None:
        width, height = frame.width, frame.height
        graph = (
            f"split[one][two];[one]crop={width}:{height}:0:0[measured];"
            f"[two]crop={width}:{height}:0:{height}[reference];[measured][reference]"
            f"libvmaf=model=version={MODEL}:feature=name=cambi:log_fmt=json:log_path={_LOG}"
        )
        command = [self._program, "-hide_banner", "-loglevel", "error", "-nostdin"]
        command += ["-f", "rawvideo", "-pix_fmt", frame.format.name, "-s", f"{width}x{2 * height}"]
        command += ["-i", "pipe:0", "-lavfi", graph, "-f", "null", "-"]
        self._child = subprocess.Popen(
            command,
            cwd=self._folder.name,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        # What it says must be read, or it would wait for ever with a full pipe.
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._child is not None
        assert self._child.stderr is not None
        for line in self._child.stderr:
            self._complaints = (self._complaints + line)[:_MOST_TEXT]

    def _reap(self) -> None:
        if self._child is None:
            return
        self._child.wait()
        if self._listener is not None:
            self._listener.join()
        for pipe in (self._child.stdin, self._child.stderr):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    # Bytes that the ended process has not taken.
                    continue

    def _failed(self) -> UnreadableMediaError:
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
        self._reap()
        text = self._complaints.decode("utf-8", "replace").strip().replace("\n", "; ")
        return UnreadableMediaError(f"VMAF cannot be measured: {text or 'libvmaf ended early'}")
