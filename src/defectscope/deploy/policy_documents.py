"""Statements and documents of IAM policies."""

from __future__ import annotations

from typing import Any

Policy = dict[str, Any]


def allow(sid: str, action: list[str], resource: list[str]) -> dict[str, Any]:
    """Returns a statement that allows actions on resources."""
    return {"Sid": sid, "Effect": "Allow", "Action": sorted(action), "Resource": resource}


def document(statements: list[dict[str, Any]]) -> Policy:
    """Returns the document of some statements."""
    return {"Version": "2012-10-17", "Statement": statements}
