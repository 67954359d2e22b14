"""Which precision a device computes in: emulated bfloat16 is several times slower than fp32."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, cast

import torch


def computes_bf16(device: str) -> bool:
    """Tells whether a PyTorch device multiplies bfloat16 itself."""
    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(cast("Any", torch).ops.mkldnn._is_mkldnn_bf16_supported()) and (
        torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    )


def autocast(device: str, *, wanted: bool = True) -> AbstractContextManager[Any]:
    """Returns a context of bfloat16 where it is wanted and the device computes it, else of fp32."""
    kind = device.split(":")[0]
    return torch.autocast(kind, torch.bfloat16, enabled=wanted and computes_bf16(device))
