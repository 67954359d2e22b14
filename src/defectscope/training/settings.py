"""Settings as a command line gives them: NAME=VALUE."""

from __future__ import annotations

from collections.abc import Sequence

from defectscope.errors import InvalidParameterError


def named_values(texts: Sequence[str]) -> dict[str, str]:
    """Returns values by name.

    Raises:
        InvalidParameterError: A text is not NAME=VALUE.
    """
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidParameterError(f"{text!r} is not NAME=VALUE")
        pairs[name] = value
    return pairs
