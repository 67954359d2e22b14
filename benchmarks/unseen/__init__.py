"""Defects made in ways that no detector was tuned on, and how well they are found."""
