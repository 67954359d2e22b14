"""How much media one analysis may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds that keep one asset from starving the others.

    Attributes:
        max_pixels: Largest frame, width times height. 32 Mpx holds 8K UHD nearly and 6K fully;
            Source: the memory of one decoder at that size stays under 1 GB.
        max_duration_s: Longest interval analyzed in one pass, seconds.
        max_streams: Most streams a container may hold.
        max_bytes: Largest upload in bytes; files and objects are read piecewise and have none.
        decode_threads: Decoder threads; 0 lets the decoder take one per core.
    """

    max_pixels: int = 32_000_000
    max_duration_s: float = 12 * 3600.0
    max_streams: int = 64
    max_bytes: int = 1_073_741_824
    decode_threads: int = 0
