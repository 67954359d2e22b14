"""A hook of MkDocs: what documentation links to outside of docs/ leads to the repository.

A link to a file that is not there stops the build, as do those that MkDocs itself finds broken.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError

DOCS = Path(__file__).resolve().parents[1] / "docs"
_LINK = re.compile(r"(\]\()(?!https?://|#|mailto:)([^)#\s]+)(#[^)\s]*)?(\))")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Returns a page's Markdown with its links outside of docs/ made addresses."""
    folder = (DOCS / page.file.src_uri).parent

    def led(match: re.Match[str]) -> str:
        target = (folder / match[2]).resolve()
        if not target.exists():
            raise PluginError(f"{page.file.src_uri}: {match[2]} is not there")
        if target.is_dir() and target.is_relative_to(DOCS) and target != DOCS:
            # A folder's first page stands for it.
            return f"{match[1]}{match[2].rstrip('/')}/README.md{match[4]}"
        if target.is_relative_to(DOCS) and target.suffix in (".md", ".png", ".jpg", ".yaml"):
            return match[0]
        kind = "tree" if target.is_dir() else "blob"
        where = target.relative_to(DOCS.parent).as_posix()
        return f"{match[1]}{config.repo_url}/{kind}/main/{where}{match[3] or ''}{match[4]}"

    return _LINK.sub(led, markdown)
