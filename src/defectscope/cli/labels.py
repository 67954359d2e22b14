"""`defectscope labels`: a queue to a labeling tool and back."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from defectscope.errors import EXIT_OK

_LABELS = """\
Exports a queue to Label Studio or SageMaker Ground Truth, and imports the answers.

  defectscope labels export review/ --tool ground_truth --prefix s3://media/review --out job/
  aws s3 sync review/ s3://media/review/ --exclude '*' --include 'evidence/*'
  defectscope labels import review/ output.manifest --tool ground_truth

  defectscope labels export review/ --tool label_studio --prefix '/data/local-files/?d=review' \\
      --out project/
  defectscope labels import review/ export.json --tool label_studio

A file with an item or a defect that the queue does not have is refused as a whole. Importing the
same file again adds nothing.
"""


def add_parser(commands: Any) -> None:
    """Adds the subcommand."""
    parser = commands.add_parser(
        "labels",
        help="export a queue to a labeling tool, import its answers",
        description=_LABELS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    export = verbs.add_parser("export", help="write what the tool imports")
    export.add_argument("queue", metavar="QUEUE", type=Path, help="folder of `defectscope queue`")
    export.add_argument(
        "--tool", required=True, metavar="label_studio|ground_truth", help="for which tool"
    )
    export.add_argument(
        "--prefix", required=True, help="where the tool finds the queue: s3://..., an address"
    )
    export.add_argument(
        "--out", required=True, metavar="FOLDER", type=Path, help="where to write the files"
    )
    export.add_argument(
        "--file", metavar="NAME", help="file that Ground Truth shows (clip.mp4 if it exists)"
    )
    export.set_defaults(run=run_export)
    back = verbs.add_parser("import", help="read the tool's answers")
    back.add_argument("queue", metavar="QUEUE", type=Path, help="folder of `defectscope queue`")
    back.add_argument(
        "answers", metavar="EXPORT.json|OUTPUT.manifest", type=Path, help="what the tool exported"
    )
    back.add_argument(
        "--tool", required=True, metavar="label_studio|ground_truth", help="from which tool"
    )
    back.add_argument(
        "--attribute", metavar="NAME", help="Ground Truth: the label attribute, if jobs are chained"
    )
    back.set_defaults(run=run_import)


def run_export(arguments: argparse.Namespace) -> int:
    """Writes the files and says which."""
    from defectscope.learning.exchange import export_queue

    made = export_queue(
        arguments.queue, arguments.out, arguments.tool, arguments.prefix, arguments.file
    )
    left = f"; {made.left} left out, without that evidence" if made.left else ""
    sys.stdout.write(f"{arguments.out}: {', '.join(made.files)}: {made.items} items{left}\n")
    return EXIT_OK


def run_import(arguments: argparse.Namespace) -> int:
    """Takes the answers and says how many."""
    from defectscope.learning.exchange import import_answers

    taken = import_answers(arguments.queue, arguments.answers, arguments.tool, arguments.attribute)
    parts = [f"{taken.added} answers taken"]
    parts += [f"{taken.known} known before"] if taken.known else []
    parts += [f"{taken.by_machine} by the tool's own model left out"] if taken.by_machine else []
    parts += [f"{taken.failed} without an answer"] if taken.failed else []
    sys.stdout.write(f"{arguments.queue}: {', '.join(parts)}\n")
    return EXIT_OK
