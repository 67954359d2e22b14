"""Where reports go: names that keep folders, tried before anything is analyzed."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from defectscope.errors import InvalidParameterError
from defectscope.findings import Report

if TYPE_CHECKING:
    from defectscope.desk.inputs import Item

# Outputs of one asset each: with several they name folders. Option to suffix.
PER_ASSET: Mapping[str, str] = {
    "json": ".json",
    "html": ".html",
    "edl": ".edl",
    "markers": "",
    "certificate": ".txt",
}
# Outputs of the whole run: one file.
WHOLE: Mapping[str, str] = {"csv": ".csv", "jsonl": ".jsonl", "junit": ".xml"}
_MARKERS = (".xml", ".aaf", ".txt", ".ale")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say what is written."""
    group = parser.add_argument_group(
        "outputs", "with several MEDIA, those of one asset name folders"
    )
    announced = {
        "json": "write report.json here; `-` for standard output",
        "html": "write a self-contained report page here",
        "csv": "write all findings as a table here",
        "jsonl": "write all findings as JSON Lines here",
        "junit": "write JUnit XML here: a case per rule, or per detector",
        "edl": "write an EDL with markers for DaVinci Resolve here",
        "markers": "write markers here: .xml for Final Cut 7 and Premiere, .aaf for Avid's "
        "locators, .txt for them as text, .ale for an Avid log; with several MEDIA a folder of "
        ".xml",
        "certificate": "write the PSE test (ITU-R BT.1702) as text here",
    }
    for name, text in announced.items():
        group.add_argument(f"--{name}", metavar="PATH", help=text)
    group.add_argument(
        "--proxy",
        action="store_true",
        help="put a small copy of the media (360 lines, H.264 and AAC) beside each page, to play",
    )


def targets(arguments: argparse.Namespace, item: Item, *, several: bool) -> dict[str, Path]:
    """Returns where each output of one asset goes, by option."""
    found: dict[str, Path] = {}
    for name, suffix in PER_ASSET.items():
        path = getattr(arguments, name)
        if path is None or path == "-":
            continue
        folder = several or path.endswith("/") or Path(path).is_dir()
        found[name] = Path(path) / (item.name + (suffix or ".xml")) if folder else Path(path)
    return found


def try_outputs(arguments: argparse.Namespace, items: Sequence[Item], *, several: bool) -> None:
    """Makes sure that everything can be written, before anything is analyzed.

    Raises:
        InvalidParameterError: A place cannot be written to, or a name has no format.
    """
    if arguments.proxy and arguments.html is None:
        raise InvalidParameterError("--proxy goes with --html: the page plays it")
    if arguments.markers is not None and not several:
        suffix = Path(arguments.markers).suffix.lower()
        folder = arguments.markers.endswith("/") or Path(arguments.markers).is_dir()
        if not folder and suffix not in _MARKERS:
            raise InvalidParameterError(
                f"--markers {arguments.markers}: name it {', '.join(_MARKERS)}"
            )
    paths = [getattr(arguments, name) for name in WHOLE if getattr(arguments, name) is not None]
    places = [Path(path) for path in paths]
    for item in items:
        places += targets(arguments, item, several=several).values()
    for place in places:
        _try(place)


def _try(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or "cannot be made").lower()
        raise InvalidParameterError(f"{path.parent}: {reason}") from None
    if path.is_dir():
        raise InvalidParameterError(f"{path}: is a directory")
    writable = path if path.exists() else path.parent
    if not os.access(writable, os.W_OK):
        raise InvalidParameterError(f"{path}: permission denied")


def write_one(
    report: Report,
    item: Item,
    arguments: argparse.Namespace,
    *,
    several: bool,
    missing: bool = False,
) -> list[Path]:
    """Writes the outputs of one asset; returns where.

    Args:
        report: Its report.
        item: The asset.
        arguments: Those of the command line.
        several: There are others, so that outputs are folders.
        missing: Write only what is not there.

    Raises:
        InvalidParameterError: A place cannot be written to.
    """
    if arguments.json == "-":
        sys.stdout.write(report.to_json(indent=2) + "\n")
    written: list[Path] = []
    places = targets(arguments, item, several=several)
    if not places:
        return written
    from defectscope.report.certificate import certificate
    from defectscope.report.html import render
    from defectscope.report.playing import proxy_of
    from defectscope.report.saving import MARKER_SUFFIXES, write_text

    text: str | bytes
    for name, path in places.items():
        if missing and path.exists():
            continue
        if name == "json":
            text = report.to_json(indent=2) + "\n"
        elif name == "html":
            media = None if "://" in item.media else Path(item.media)
            if arguments.proxy and media is not None:
                from defectscope.media.proxy import write_proxy

                write_proxy(media, proxy_of(path))
                written.append(proxy_of(path))
            text = render(report, media, page=path, captions=arguments.captions)
        elif name == "certificate":
            text = certificate(report)
        elif "video" not in report.asset:
            continue  # nothing to mark in sound alone
        else:
            suffix = ".edl" if name == "edl" else path.suffix.lower()
            text = MARKER_SUFFIXES[suffix](report)
        write_text(path, text)
        written.append(path)
    return written


def write_whole(reports: Sequence[Report], arguments: argparse.Namespace) -> list[Path]:
    """Writes the outputs of the whole run; returns where.

    Raises:
        InvalidParameterError: A place cannot be written to.
    """
    if all(getattr(arguments, name) is None for name in WHOLE):
        return []
    from defectscope.report.junit import junit
    from defectscope.report.saving import csv_text, json_lines, write_text

    writers: Mapping[str, Any] = {"csv": csv_text, "jsonl": json_lines, "junit": junit}
    written: list[Path] = []
    for name, writer in writers.items():
        path = getattr(arguments, name)
        if path is not None:
            write_text(Path(path), writer(reports))
            written.append(Path(path))
    return written
