"""Lists defectscope's endpoints, with their state, variants and instances."""

from __future__ import annotations

import json
import sys

from defectscope.deploy import endpoint
from defectscope.deploy.calls import Call
from defectscope.deploy.console import Progress, parser, run, transaction


def main(progress: Progress) -> None:
    """Prints one line an endpoint, or JSON."""
    made = parser("List the endpoints that create_endpoint made.", "")
    made.add_argument("--prefix", help="only names that contain this")
    made.add_argument("--json", action="store_true", help="print JSON")
    options = made.parse_args()
    with transaction(options, progress) as steps:
        if steps.dry_run:
            request = {"NameContains": options.prefix} if options.prefix else {}
            steps.run(Call("sagemaker", "list_endpoints", request), "")
            print(steps.to_json())
            return
        found = list(endpoint.list_endpoints(steps.account, prefix=options.prefix))
    if options.json:
        print(json.dumps(found, indent=2, default=str))
        return
    for entry in found:
        variants = ", ".join(
            f"{v['name']} ({v['instances'] or 0} instances, weight {v['weight'] or 0:g})"
            for v in entry["variants"]
        )
        print(f"{entry['name']:<40} {entry['state']:<12} {variants}")


if __name__ == "__main__":
    sys.exit(run(main))
