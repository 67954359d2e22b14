"""What can be set on a simulator, read from its Params dataclass and that class' docstring."""

from __future__ import annotations

import inspect
import re
from dataclasses import MISSING, dataclass, fields
from typing import Any

from defectscope.simulate.contract import Simulator


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a simulator.

    Attributes:
        name: Its name; the suffix is its unit.
        default: What it is when neither drawn nor set.
        text: What it does, and its range.
    """

    name: str
    default: Any
    text: str


def parameters_of(simulator: Simulator[Any]) -> list[Parameter]:
    """Returns a simulator's parameters in order, with what their docstring says."""
    texts = _attribute_texts(inspect.getdoc(simulator.params) or "")
    return [
        Parameter(f.name, None if f.default is MISSING else f.default, texts.get(f.name, ""))
        for f in fields(simulator.params)
    ]


def _attribute_texts(docstring: str) -> dict[str, str]:
    """The entries of a Google-style `Attributes:` section, each on one line."""
    _, _, section = docstring.partition("Attributes:\n")
    texts: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        match = re.match(r" {4}(\w+): (.*)", line)
        if match:
            name = match.group(1)
            texts[name] = match.group(2).strip()
        elif name and line.startswith(" " * 8):
            texts[name] += " " + line.strip()
        elif line.strip() and not line.startswith(" "):
            break
    return {k: v.replace("`", "") for k, v in texts.items()}
