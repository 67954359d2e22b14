"""`python -m defectscope.player`: publish a version, collect, or show what viewers saw."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from defectscope.errors import DefectscopeError
from defectscope.findings import Report
from defectscope.player.groups import group, join
from defectscope.player.publish import manifest, publish
from defectscope.player.server import serve


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and gives the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except DefectscopeError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


def _publish(options: argparse.Namespace) -> int:
    content = manifest(
        options.folder,
        version=options.version,
        stage=options.stage,
        percentage=options.percentage,
        kill=options.kill,
        days=options.days,
    )
    for name in publish(options.folder, options.target, content, options.key.read_bytes()):
        sys.stdout.write(f"{options.target.rstrip('/')}/{name}\n")
    return 0


def _collect(options: argparse.Namespace) -> int:
    server = serve(options.file, options.port, options.origin)
    sys.stdout.write(f"POST http://127.0.0.1:{server.server_address[1]}/player\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0
    finally:
        server.server_close()
    return 0


def _seen(options: argparse.Namespace) -> int:
    with options.file.open(encoding="utf-8") as lines:
        groups = group(lines)
    out: list[dict[str, object]] = []
    for each in groups:
        seen = each.seen()
        alone: list[object] = []
        report = options.reports / f"{each.content}.json" if options.reports else None
        # An id with a slash is no file of this folder.
        if report and "/" not in each.content and report.is_file():
            master = Report.from_dict(json.loads(report.read_text("utf-8")))
            seen, only = join(seen, master)
            alone += only
        out.append(
            {
                "content": each.content,
                "device": each.device,
                "app": each.app,
                "sessions": len(each.sessions),
                "measured_frames": each.measured_frames,
                "dropped_frames": each.dropped_frames,
                "rebuffering_ms": each.rebuffering_ms,
                "seen_by_viewers": [asdict(one) for one in seen],
                "only_in_the_master": alone,
            }
        )
    sys.stdout.write(json.dumps(out, indent=1) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m defectscope.player", description=__doc__)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("publish", help="signs a version and writes it to a stage")
    one.add_argument("folder", type=Path, help="where kernel.wasm and decisions.wasm lie")
    one.add_argument("target", help="s3://bucket/prefix, or a folder")
    one.add_argument("--stage", required=True)
    one.add_argument("--version", required=True)
    one.add_argument("--percentage", type=float, required=True, help="of sessions, 0 to 100")
    one.add_argument("--key", type=Path, required=True, help="private key on P-256, PEM")
    one.add_argument("--kill", action="store_true", help="nobody is watched")
    one.add_argument("--days", type=int, default=30, help="for how long players believe it")
    one.set_defaults(run=_publish)
    two = commands.add_parser("collect", help="takes what players send, on this machine")
    two.add_argument("file", type=Path, help="lines of JSON, appended to")
    two.add_argument("--port", type=int, default=8090)
    two.add_argument("--origin", action="append", help="may send; by default all may")
    two.set_defaults(run=_collect)
    three = commands.add_parser("seen", help="groups what was collected")
    three.add_argument("file", type=Path)
    three.add_argument(
        "--reports", type=Path, help="folder of CONTENT.json, reports of the masters"
    )
    three.set_defaults(run=_seen)
    return parser


if __name__ == "__main__":
    sys.exit(main())
