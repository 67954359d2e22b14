"""What every extractor offers: frames in, one record of integers out, features as views of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from defectscope.errors import InvalidParameterError
from defectscope.features.catalogue import CHROMA_GROUPS, Integers, groups_of, layout_of
from defectscope.features.geometry import PlaneGeometry


class Plane(Protocol):
    """A plane of samples as decoded: rows may be longer than the frame is wide."""

    @property
    def data(self) -> NDArray[Any]:
        """Samples, [height, at least width], uint8 or uint16."""
        ...

    @property
    def width(self) -> int:
        """Samples in a row that belong to the frame."""
        ...

    @property
    def height(self) -> int:
        """Rows."""
        ...


class Extractor(ABC):
    """Measures the frames of one stream, in order.

    Attributes:
        names: The features asked for.
        layout: The record of a frame; it may hold more than was asked for.
    """

    def __init__(self, geometry: PlaneGeometry, names: Iterable[str]) -> None:
        self.names = frozenset(names)
        self._open(geometry)

    @property
    def geometry(self) -> PlaneGeometry:
        """The sizes of the planes that it measures now."""
        return self.layout.geometry

    def reset(self, geometry: PlaneGeometry | None = None) -> None:
        """Forgets the frame before, and takes frames of another geometry from now on."""
        if geometry is None or geometry == self.layout.geometry:
            self._forget()
        else:
            self._open(geometry)

    def measure(self, planes: Sequence[Plane]) -> Mapping[str, Integers | int]:
        """Returns the features of the next frame: integers and arrays.

        Args:
            planes: Y, or Y, U and V, of the extractor's geometry. U and V are not looked at where
                no feature needs them.

        Raises:
            InvalidParameterError: The planes are not of the extractor's geometry.
        """
        batch = Batch(self, 1)
        batch.add(planes)
        features = batch.features()
        return {
            name: array[0] if array.ndim > 1 else int(array[0]) for name, array in features.items()
        }

    def measure_into(self, planes: Sequence[Plane], record: NDArray[np.uint32]) -> None:
        """Writes the record of the next frame into `layout.words` words of the caller's.

        Raises:
            InvalidParameterError: The planes are not of the extractor's geometry.
        """
        geometry = self.layout.geometry
        sizes = ((geometry.width, geometry.height),)
        if geometry.chroma_width and self.layout.groups & CHROMA_GROUPS:
            chroma = (geometry.chroma_width, geometry.chroma_height)
            sizes = (*sizes, chroma, chroma)
        itemsize = 1 if geometry.bit_depth == 8 else 2
        if len(planes) < len(sizes):
            raise InvalidParameterError(f"{len(sizes)} planes are needed, not {len(planes)}")
        views: list[NDArray[Any]] = []
        for plane, (width, height) in zip(planes, sizes, strict=False):
            data = plane.data
            fits = plane.width == width and plane.height == height
            if not fits or data.itemsize != itemsize or data.dtype.kind != "u":
                raise InvalidParameterError(
                    f"a plane of {plane.width} x {plane.height} {data.dtype} is not what "
                    f"{geometry} implies"
                )
            views.append(data[:height, :width])
        self._measure(views, record)

    def _open(self, geometry: PlaneGeometry) -> None:
        self.layout = layout_of(geometry, groups_of(self.names))
        self._prepare(geometry)

    @abstractmethod
    def _prepare(self, geometry: PlaneGeometry) -> None:
        """Makes ready for frames of this geometry, the first of which has none before it."""

    @abstractmethod
    def _forget(self) -> None:
        """Makes the next frame one that has none before it."""

    @abstractmethod
    def _measure(self, planes: list[NDArray[Any]], record: NDArray[np.uint32]) -> None:
        """Measures planes of exactly the right sizes."""


class Batch:
    """Collects the features of up to `capacity` frames into arrays of shape (frames, ...)."""

    def __init__(self, extractor: Extractor, capacity: int) -> None:
        self._extractor = extractor
        self._layout = extractor.layout
        self._records = np.empty((capacity, extractor.layout.words), np.uint32)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another frame."""
        return self._count == len(self._records)

    def add(self, planes: Sequence[Plane]) -> None:
        """Measures the next frame into the batch.

        Raises:
            InvalidParameterError: The batch is full, or the geometry has changed since it began.
        """
        if self.is_full:
            raise InvalidParameterError(f"a batch of {self._count} frames is full")
        if self._extractor.layout is not self._layout:
            raise InvalidParameterError("a batch holds frames of one geometry only")
        self._extractor.measure_into(planes, self._records[self._count])
        self._count += 1

    def features(self) -> dict[str, Integers]:
        """Returns the requested features as views of shape (frames, ...) on the batch's records."""
        records = self._records[: self._count]
        places = self._layout.places
        return {name: places[name].read(records) for name in sorted(self._extractor.names)}
