"""A sum of small decision trees, as plain numbers: what was learned of many measures at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.errors import ArtifactError

Floats = NDArray[np.float64]


class TreeSum:
    """Adds up what trees of one depth say of each row.

    Args:
        document: `{"measures": [NAME, ...], "base": number, "features": [[...], ...], "bounds":
            [[...], ...], "values": [[...], ...]}`. A tree of depth d is complete: 2^d - 1 splits,
            from the root on level by level, and 2^d values. A row goes right where its feature
            exceeds the bound.
        names: The measures that rows hold, in order.

    Raises:
        ArtifactError: The document does not fit these measures.
    """

    def __init__(self, document: Mapping[str, Any], names: tuple[str, ...]) -> None:
        try:
            place = {name: at for at, name in enumerate(names)}
            columns = np.array([place[name] for name in document["measures"]], np.intp)
            self._features = columns[np.array(document["features"], np.intp)]
            self._bounds = np.array(document["bounds"], np.float64)
            self._values = np.array(document["values"], np.float64)
            self._base = float(document["base"])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ArtifactError(f"not a sum of trees over these measures ({error})") from None
        splits = self._bounds.shape
        if (
            len(splits) != 2
            or splits != self._features.shape
            or self._values.shape != (splits[0], splits[1] + 1)
        ):
            raise ArtifactError("the trees of a sum are not complete")

    def __call__(self, rows: Floats) -> Floats:
        """Returns (n,) sums for (n, measures) rows."""
        trees = np.arange(len(self._bounds))
        node = np.zeros((len(rows), len(trees)), np.intp)
        depth = (self._bounds.shape[1] + 1).bit_length() - 1
        every = np.arange(len(rows))[:, None]
        for _ in range(depth):
            right = rows[every, self._features[trees, node]] > self._bounds[trees, node]
            node = 2 * node + 1 + right
        votes = self._values[trees, node - self._bounds.shape[1]]
        # Tree by tree: a sum that no grouping of rows can change.
        return self._base + np.cumsum(votes, axis=1)[:, -1]
