"""Runs the network with OpenVINO: PyTorch is imported to convert it, once for every release."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.av_sync.fragments import SOUND_SAMPLES
from defectscope.detectors.av_sync.layout import EMBEDDING, Floats
from defectscope.detectors.av_sync.sound import HOP, WINDOW_FRAMES, WINDOW_VIDEO_FRAMES
from defectscope.detectors.compiled import Blueprint, Compiled

if TYPE_CHECKING:
    from defectscope.detectors.av_sync.network import SyncNet

_PACKAGE = "defectscope.detectors.av_sync"
_MODULES = tuple(f"{_PACKAGE}.{name}" for name in ("network", "sound", "streams"))


class Runtime:
    """The network, ready for mouths and sound of any length; safe to share between threads.

    Args:
        network: Returns the network, in evaluation mode; called when it is to be converted.
        weights_sha256: Of its weights.
    """

    def __init__(self, network: Callable[[], SyncNet], weights_sha256: str) -> None:
        self._network = network
        self._weights_sha256 = weights_sha256
        self._lock = Lock()
        self._mouth: Any = None
        self._sound: dict[int, Any] = {}

    def embed_mouth(self, crops: NDArray[np.uint8]) -> Floats:
        """Returns the vectors of one track's mouth frames, see `layout.Embedder`."""
        if len(crops) < WINDOW_VIDEO_FRAMES:
            return np.zeros((0, EMBEDDING), np.float32)
        with self._lock:
            return np.array(self._mouths()([crops[None]])[0][0], np.float32)

    def embed_sound(self, mel: Floats) -> Floats:
        """Returns the vectors of an interval of sound, see `layout.Embedder`."""
        if len(mel) < WINDOW_FRAMES:
            return np.zeros((0, EMBEDDING), np.float32)
        with self._lock:
            return np.array(self._sounds(len(mel))([mel[None]])[0][0], np.float32)

    def prepare(self) -> None:
        """Loads what fragments need, so that the first need not wait for it."""
        with self._lock:
            self._mouths()
            self._sounds(SOUND_SAMPLES // HOP)

    def _mouths(self) -> Any:
        if self._mouth is None:
            self._mouth = self._compiled("mouth", self._converted_mouth)
        return self._mouth

    def _sounds(self, frames: int) -> Any:
        if frames not in self._sound:
            convert = partial(self._converted_sound, frames)
            self._sound[frames] = self._compiled(f"sound-{frames}", convert)
        return self._sound[frames]

    def _compiled(self, part: str, convert: Callable[[], Any]) -> Any:
        name = f"av_sync-{part}"
        return Compiled(Blueprint(name, self._weights_sha256, _MODULES, convert)).model()

    def _converted_mouth(self) -> Any:
        from defectscope.detectors.av_sync.streams import converted_mouth

        return converted_mouth(self._network())

    def _converted_sound(self, frames: int) -> Any:
        from defectscope.detectors.av_sync.streams import converted_sound

        return converted_sound(self._network(), frames)
