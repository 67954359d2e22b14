"""Names of quantities carry their unit as a suffix; this turns such a name into words."""

from __future__ import annotations

import math
from typing import Any

# Suffix -> what stands after the number. Probabilities, ratios and counts have none.
UNITS: dict[str, str] = {
    "s": "s",
    "ms": "ms",
    "us": "µs",
    "hz": "Hz",
    "fps": "fps",
    "px": "px",
    "dbfs": "dBFS",
    "dbtp": "dBTP",
    "db": "dB",
    "lufs": "LUFS",
    "lu": "LU",
    "code": "code",
    "frames": "frames",
    "deg": "°",
    "percent": "%",
    "cps": "characters/s",
    "nits": "cd/m²",
    "bytes": "bytes",
}


def label_and_unit(name: str) -> tuple[str, str]:
    """Returns a quantity's words and unit: `mean_luma_code` is `("mean luma", "code")`."""
    if name.endswith("_per_s"):
        return name.removesuffix("_per_s").replace("_", " "), "per second"
    stem, _, suffix = name.rpartition("_")
    if suffix in UNITS:
        # `frames` alone, or a bare suffix, is a count and keeps its name.
        return (stem.replace("_", " "), UNITS[suffix]) if stem else (name, "")
    return name.replace("_", " "), ""


def format_number(value: float) -> str:
    """Returns a number with as many digits as a reader can use, a true minus sign included."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not math.isfinite(value):
        text = "∞" if value > 0 else "-∞" if value < 0 else "not a number"
    elif isinstance(value, int) or (value.is_integer() and abs(value) < 1e6):
        text = f"{int(value)}"
    elif abs(value) >= 100:
        text = f"{value:.0f}"
    else:
        text = f"{value:.3g}"
    return text.replace("-", "−", 1)


def format_quantity(name: str, value: Any) -> str:
    """Returns a quantity as `words value unit`; empty for what is not a scalar."""
    label, unit = label_and_unit(name)
    if isinstance(value, bool | int | float):
        number = format_number(value)
        glue = "" if unit in {"°", "%"} else " "
        return f"{label} {number}{glue}{unit}".strip() if unit else f"{label} {number}"
    if isinstance(value, str):
        return f"{label} {value}"
    return ""
