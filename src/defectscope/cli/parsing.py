"""A parser that says what was probably meant."""

from __future__ import annotations

import argparse
import re
from typing import NoReturn

from defectscope.near_words import meant

_CHOICE = re.compile(r"invalid choice: '([^']*)' \(choose from (.*)\)")
_UNKNOWN = re.compile(r"unrecognized arguments: (--[\w-]+)")


class Parser(argparse.ArgumentParser):
    """As argparse has it; its subcommands are of this class too."""

    def error(self, message: str) -> NoReturn:
        """Prints the error and the closest valid words; exits with status 2."""
        super().error(message + self._hint(message))

    def _hint(self, message: str) -> str:
        match = _CHOICE.search(message)
        if match is not None:
            known = [word.strip("' ") for word in match[2].split(",")]
        else:
            match = _UNKNOWN.search(message)
            known = sorted(_options(self))
        return "" if match is None else meant(match[1], known)


def _options(parser: argparse.ArgumentParser) -> set[str]:
    """Returns the options of a parser and of its subcommands: argparse forgets which was asked."""
    found: set[str] = set()
    for action in parser._actions:
        found.update(action.option_strings)
        below = action.choices
        for one in below.values() if isinstance(below, dict) else ():
            if isinstance(one, argparse.ArgumentParser):
                found |= _options(one)
    return found
