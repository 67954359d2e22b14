"""Per-frame measures, computed once and shared by every detector.

`open_extractor` gives an extractor for one stream; `catalogue.FEATURES` lists what it can measure.
"""

from __future__ import annotations

from collections.abc import Iterable

from defectscope.features.catalogue import FEATURES, Feature
from defectscope.features.extractor import Batch, Extractor
from defectscope.features.geometry import PlaneGeometry

__all__ = ["FEATURES", "Batch", "Extractor", "Feature", "PlaneGeometry", "open_extractor"]


def open_extractor(geometry: PlaneGeometry, names: Iterable[str]) -> Extractor:
    """Returns an extractor that measures the named features of one stream's frames, in order.

    Args:
        geometry: Sizes of the planes; see `Extractor.reset` for frames that change size.
        names: Names from `FEATURES`.

    Raises:
        InvalidParameterError: A name is unknown.
        ArtifactError: The kernel is not the released one.
    """
    from defectscope.features.kernel import WasmExtractor

    return WasmExtractor(geometry, names)
