"""What goes into the network and comes out of it, for those who need not import PyTorch."""

from __future__ import annotations

# One cell of the map covers so many pixels a side.
CELL_PX = 32
