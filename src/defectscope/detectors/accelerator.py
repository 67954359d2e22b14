"""Tells whether a GPU is there, without importing PyTorch where there is none."""

from __future__ import annotations

import ctypes
import sys
from functools import cache


@cache
def has_cuda() -> bool:
    """Tells whether PyTorch can compute on a GPU of NVIDIA's; only a driver makes it be asked."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    import torch

    return torch.cuda.is_available()
