"""Puts markup, styles, scripts and data into one file that asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any


def assemble(
    *,
    title: str,
    body: str,
    styles: Sequence[str],
    scripts: Sequence[str],
    data: Any,
    served: bool = False,
) -> str:
    """Returns a self-contained HTML document.

    Its content security policy names the one script and the one style by hash and allows frames
    as data alone, so that nothing smuggled in through the data can run or call out. Media comes
    from where the page lies, or from a file that the user opens in it (`blob:`).

    Args:
        title: What the browser's tab says; any text.
        body: File of the markup inside `<body>`, in the `page` folder.
        styles: Files of the style sheets, in order.
        scripts: Files of the scripts, in order; they share one strict scope.
        served: The page may talk to the server that it came from.
        data: What `document.getElementById("data")` holds as JSON.
    """
    style = "\n".join(_read(name) for name in styles)
    script = '(() => {\n"use strict";\n' + "\n".join(_read(name) for name in scripts) + "})();\n"
    reach = "'self'" if served else "'none'"
    policy = (
        f"default-src 'none'; img-src data:; media-src 'self' blob:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; connect-src {reach}; base-uri 'none'; form-action 'none'"
    )
    return (
        "<!doctype html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="generator" content="defectscope">\n'
        f"<title>{html.escape(_text(title))}</title>\n"
        f"<style>{style}</style>\n</head>\n<body>\n{_read(body)}"
        f'<script type="application/json" id="data">{embed(data)}</script>\n'
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def embed(data: Any) -> str:
    """Returns JSON that is safe inside a script element, whatever strings it holds."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    # Only strings hold these characters, where the escape means the same.
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _text(value: str) -> str:
    """Lone surrogates, from file names that are not UTF-8, cannot be written to a file."""
    return value.encode("utf-8", "replace").decode("utf-8")


def _read(name: str) -> str:
    return resources.files("defectscope.report").joinpath("page", name).read_text("utf-8")


def _hash(content: str) -> str:
    digest = hashlib.sha256(content.encode("utf-8")).digest()
    return "sha256-" + base64.b64encode(digest).decode("ascii")
