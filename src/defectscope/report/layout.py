"""How tables look on a terminal: one look for all of a report's."""

from __future__ import annotations

from rich import box
from rich.table import Table


def open_table(*, plain: bool) -> Table:
    """Returns an empty table.

    Args:
        plain: Without lines, for files and terminals that cannot show them.
    """
    return Table(
        box=None if plain else box.SIMPLE_HEAD,
        header_style="bold",
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
