"""Delivery profiles: rules with their sources as data, and what they say of a report."""

from __future__ import annotations

from defectscope.profiles.applying import apply_profile, parameters_with
from defectscope.profiles.model import Profile, Rule, Source
from defectscope.profiles.reading import (
    load_profile,
    profile_names,
    read_profile,
    shipped_profile,
)

__all__ = [
    "Profile",
    "Rule",
    "Source",
    "apply_profile",
    "load_profile",
    "parameters_with",
    "profile_names",
    "read_profile",
    "shipped_profile",
]
