"""What the hardware can do: bf16 or float32, and keeping freed memory."""

from __future__ import annotations

import ctypes

import torch
from accelerate.utils import parse_flag_from_env


def resolve_precision(precision: str) -> str:
    """``"bf16"`` or ``"float32"``; ``"auto"`` is bf16 on hardware with bf16 matrix or dot-product instructions.

    The hardware that counts is the one Accelerate takes: with ``ACCELERATE_USE_CPU=true`` the processor.
    """
    if precision not in ("auto", "bf16", "float32"):
        raise ValueError(f'precision must be "auto", "bf16" or "float32", got {precision!r}')
    if precision != "auto":
        return precision
    on_cpu = parse_flag_from_env("ACCELERATE_USE_CPU")
    if torch.cuda.is_available() and not on_cpu:
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if torch.backends.mps.is_available() and not on_cpu:
        return "float32"
    has = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}  # not in older versions
    return "bf16" if has.get("amx_bf16") or has.get("avx512_bf16") else "float32"


def keep_memory() -> bool:
    """Let this process keep the memory that it frees, for its next step, instead of giving it back each time.

    glibc returns every large block to the system as soon as it is freed. A training step frees and asks for the same
    hundreds of megabytes again, and each time the system hands them out as pages of zeros: on a CPU that is a tenth of
    the step and more (benchmarks/README.md). Numbers do not change; the process stays as large as it has been.

    Returns:
        whether it took effect: on Linux with glibc, else nothing is done.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # another system, another C library
        return False
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    keeps_large = mallopt(mmap_threshold, 2**30) or mallopt(mmap_threshold, 2**25)  # the most that older ones take
    return bool(mallopt(trim_threshold, 2**31 - 1) and keeps_large)
