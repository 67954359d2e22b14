"""Which media a page plays: a file beside it, or none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from defectscope.media.source import MediaLike

# What goes before the suffix of a small copy of the media that lies beside a page.
PROXY_SUFFIX = ".proxy.mp4"


def playable(media: MediaLike | None, page: Path | None) -> dict[str, Any] | None:
    """Returns `src`, relative to the page, and whether it is a proxy; None where nothing plays.

    The policy of a page lets media in from beside it alone, so only a plain name is ever given:
    `PAGE.proxy.mp4` where it lies there, else the media itself where it does.

    Args:
        media: The asset.
        page: Where the page will lie.
    """
    if page is None:
        return None
    proxy = proxy_of(page)
    if proxy.is_file():
        return {"src": "./" + quote(proxy.name), "proxy": True}
    if isinstance(media, str | os.PathLike) and "://" not in str(media):
        path = Path(media)
        if path.is_file() and path.resolve().parent == page.resolve().parent:
            return {"src": "./" + quote(path.name), "proxy": False}
    return None


def proxy_of(page: Path) -> Path:
    """Returns where the small copy for a page lies."""
    return page.with_name(page.name.removesuffix(".html") + PROXY_SUFFIX)
