"""`defectscope profiles`: lists delivery profiles, explains one, prints an example to edit."""

from __future__ import annotations

import argparse
import sys
import textwrap
from importlib import resources
from typing import Any

from defectscope.errors import EXIT_OK, InvalidParameterError
from defectscope.profiles import Profile, Rule, load_profile, profile_names

_WIDTH = 96
_EXAMPLES = """\
examples:
  defectscope profiles                              what there is
  defectscope profiles netflix-branded              every rule with its limit, code and source
  defectscope profiles --template > house.toml      a file of your own to edit
  defectscope analyze master.mov --profile house.toml
"""


def add_parser(commands: Any) -> None:
    """Adds the subcommand."""
    parser = commands.add_parser(
        "profiles",
        help="list and explain delivery profiles",
        description="Lists delivery profiles, or explains one: rules, limits, codes and sources.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "profile", nargs="?", metavar="PROFILE", help="a name of the list, or a file of TOML"
    )
    parser.add_argument(
        "--template", action="store_true", help="print a house's own profile to begin with"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the list, one profile, or the template."""
    if arguments.template:
        if arguments.profile is not None:
            raise InvalidParameterError("--template prints one example; it takes no PROFILE")
        text = resources.files("defectscope.profiles").joinpath("house.toml").read_text("utf-8")
        sys.stdout.write(text)
    elif arguments.profile is None:
        for name in profile_names():
            profile = load_profile(name)
            count = len(profile.rules)
            sys.stdout.write(f"{name:<18}{profile.title} ({count} rules; {profile.edition})\n")
        sys.stdout.write("\n`defectscope profiles NAME` explains one.\n")
    else:
        sys.stdout.write(explain(load_profile(arguments.profile)))
    return EXIT_OK


def explain(profile: Profile) -> str:
    """Returns a profile in words: what it covers, its rules and its sources."""
    lines = [f"{profile.id}: {profile.title}", f"edition: {profile.edition}", ""]
    lines += textwrap.wrap(profile.about, _WIDTH)
    lines += ["", "rules:"]
    for rule in profile.rules:
        lines += _rule(rule)
    if profile.parameters:
        lines += ["", "parameters of detectors:"]
        lines += [
            f"  {detector}.{name} = {value}"
            for detector, values in profile.parameters.items()
            for name, value in values.items()
        ]
    lines += ["", "sources:"]
    for source in profile.sources.values():
        lines += textwrap.wrap(
            f"{source}: {source.states}", _WIDTH, initial_indent="  ", subsequent_indent="    "
        )
    return "\n".join(lines) + "\n"


def _rule(rule: Rule) -> list[str]:
    limit = f"{rule.limit} {rule.unit}".strip()
    if not rule.bound.binds and not rule.scores:
        limit = "no finding"
    of = rule.fact or rule.detector
    codes = ", ".join(part for part in (rule.code, rule.vocabulary) if part) or "no code"
    where = "" if rule.position == "anywhere" else f", in the {rule.position}"
    head = f"  {rule.id:<18}{rule.title}: {limit}{where} [{of}; {codes}; {rule.source.title}]"
    lines = textwrap.wrap(head, _WIDTH, subsequent_indent=" " * 20)
    if rule.verdict == "warn":
        lines.append(" " * 20 + "breaking it is a warning")
    if rule.note:
        indent = " " * 20
        lines += textwrap.wrap(rule.note, _WIDTH, initial_indent=indent, subsequent_indent=indent)
    return lines
