"""`defectscope simulate`: makes a defect in a copy of a file, with its truth beside it."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from defectscope.errors import EXIT_OK, InvalidParameterError

if TYPE_CHECKING:
    from defectscope.simulate.contract import Simulator

_DESCRIPTION = """\
Makes a defect on purpose in a copy of a media or caption file, and writes OUT.truth.json, which
says where the damage really lies. The same seed and options give the same damage again.
"""
_EXAMPLES = """\
examples:
  defectscope simulate freeze film.mp4 frozen.mp4 --at 12 --duration 3
  defectscope simulate audio_dropout film.mp4 dropout.mp4 --severity 5 --set channel=0
  defectscope simulate caption_drift film.vtt late.vtt --set offset_ms=800

A parameter that is not --set is drawn from the seed, as strong as the severity asks for.
`defectscope simulate DEFECT --help` lists the parameters of one defect.
"""
_WIDTH = 96


class _Help(argparse.Action):
    """Explains the command, or one defect when its name came before; imports them only then."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        from defectscope.simulate.registry import simulator, simulators

        defect = getattr(namespace, "defect", None)
        if defect is None:
            listed = "\n".join(_line(made) for made in simulators().values())
            parser.epilog = f"defects:\n{listed}\n\n{_EXAMPLES}"
            parser.print_help()
        else:
            sys.stdout.write(explain(simulator(defect)))
        parser.exit()


def _line(made: Simulator[Any]) -> str:
    return f"  {made.name:<24}{made.summary} ({made.medium})"


def explain(made: Simulator[Any]) -> str:
    """Returns the help text of one defect: what it is, and its parameters with unit and range."""
    from defectscope.parameters import described

    lines = [
        f"usage: defectscope simulate {made.name} IN OUT [options] [--set PARAMETER=VALUE ...]",
        "",
        f"{made.name}: {made.summary} ({made.medium})",
        "",
        "parameters:",
    ]
    for parameter in described(made.params):
        head = f"  {parameter.name}={parameter.default}"
        text = f"{parameter.allowed}. {parameter.meaning}".replace("`", "")
        body = textwrap.wrap(text, _WIDTH - 26)
        if len(head) < 25:
            lines.append(f"{head:<26}{body[0]}")
            body = body[1:]
        else:
            lines.append(head)
        lines += [" " * 26 + line for line in body]
    return "\n".join([*lines, "", _EXAMPLES])


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Adds the command to those of `defectscope` and gives its parser."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "simulate",
        help="add a defect to a file, and write where it is",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    parser.add_argument("defect", metavar="DEFECT", help="what to make; see the list below")
    parser.add_argument("source", metavar="IN", type=Path, help="media or caption file to impair")
    parser.add_argument(
        "destination", metavar="OUT", type=Path, help="where to write; the suffix names the format"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="number from 0 on (default: %(default)s)"
    )
    parser.add_argument(
        "--at", type=float, metavar="S", help="second at which it starts (default: centred)"
    )
    parser.add_argument(
        "--duration",
        type=float,
        metavar="S",
        help="how many seconds it lasts (default: a third of the file, at most 4)",
    )
    parser.add_argument(
        "--severity",
        type=float,
        default=3.0,
        metavar="1..5",
        help="1 barely perceptible, 3 clearly perceptible, 5 gross (default: %(default)g)",
    )
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="PARAMETER=VALUE",
        help="set a parameter instead of drawing it; may be repeated",
    )
    parser.add_argument(
        "-h", "--help", action=_Help, nargs=0, help="explain this, or a DEFECT named before it"
    )
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Makes the defect and prints where it lies.

    Raises:
        DefectscopeError: A name, a value or a file is wrong; the message says which.
    """
    from rich.console import Console

    from defectscope.simulate.run import simulate_file, truth_path

    errors = Console(stderr=True)
    with _progress(errors, f"{args.defect}: {args.source.name}") as show:
        truth = simulate_file(
            args.defect,
            args.source,
            args.destination,
            seed=args.seed,
            start_s=args.at,
            duration_s=args.duration,
            severity=args.severity,
            overrides=settings(args.settings),
            progress=show,
        )
    out = Console(highlight=False, soft_wrap=True)
    for entry in truth:
        out.print(f"{entry.defect}  {entry.start_s:.3f} s to {entry.end_s:.3f} s", markup=False)
    out.print(f"wrote {args.destination} and {truth_path(args.destination)}", markup=False)
    return EXIT_OK


def settings(pairs: Sequence[str]) -> Mapping[str, str]:
    """Returns `name=value` texts as a mapping.

    Raises:
        InvalidParameterError: One of them is not of that form.
    """
    out: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise InvalidParameterError(f"--set wants PARAMETER=VALUE, not {pair!r}")
        out[name.strip()] = value
    return out


def _progress(console: Any, title: str) -> Any:
    """A context that gives what to call with the share done; silent where nobody watches."""
    if not console.is_terminal:
        return nullcontext(None)
    return _Bar(console, title)


class _Bar:
    """A progress bar as a context."""

    def __init__(self, console: Any, title: str) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task(title, total=1.0)

    def __enter__(self) -> Any:
        self._progress.start()
        return self._show

    def _show(self, share: float) -> None:
        self._progress.update(self._task, completed=share)

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()
