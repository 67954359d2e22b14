"""Filters, order and pages of the control plane's List operations."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from defectscope.local.faults import validation

_DEFAULT_PAGE = 10
_LARGEST_PAGE = 100


def page_of(
    summaries: list[dict[str, Any]], request: Mapping[str, Any], *, prefix: str, result: str
) -> dict[str, Any]:
    """Returns one page of what a List operation found.

    Args:
        summaries: All there is.
        request: The request with its filters.
        prefix: What the members Name and Status are prefixed with in a summary.
        result: The member that holds the page.

    Raises:
        FaultError: The page size or the token is invalid.
    """
    name, status = f"{prefix}Name", f"{prefix}Status"
    conditions: list[Callable[[dict[str, Any]], bool]] = []
    if contains := request.get("NameContains"):
        conditions.append(lambda item: str(contains) in item[name])
    if wanted := request.get("StatusEquals"):
        conditions.append(lambda item: item[status] == wanted)
    for member in ("CreationTime", "LastModifiedTime"):
        if (after := request.get(f"{member}After")) is not None:
            conditions.append(lambda item, m=member, t=after: item[m] > float(t))
        if (before := request.get(f"{member}Before")) is not None:
            conditions.append(lambda item, m=member, t=before: item[m] < float(t))
    kept = [item for item in summaries if all(condition(item) for condition in conditions)]
    key = {"Name": name, "Status": status}.get(str(request.get("SortBy")), "CreationTime")
    kept.sort(key=lambda item: item[key], reverse=request.get("SortOrder") != "Ascending")
    size = request.get("MaxResults", _DEFAULT_PAGE)
    if not isinstance(size, int) or not 1 <= size <= _LARGEST_PAGE:
        raise validation(f"MaxResults must be between 1 and {_LARGEST_PAGE}")
    start = _offset(request.get("NextToken"))
    page: dict[str, Any] = {result: kept[start : start + size]}
    if start + size < len(kept):
        page["NextToken"] = base64.urlsafe_b64encode(str(start + size).encode()).decode()
    return page


def _offset(token: Any) -> int:
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(str(token)))
    except (ValueError, binascii.Error):
        raise validation("NextToken is not one that was given out") from None
