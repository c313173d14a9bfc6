"""What the hardware can do: bf16 or float32, and keeping freed memory."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate.utils import PrecisionType, parse_flag_from_env

from ..arguments import check_device, shown
from .run_folder import environment

FLAGS = (
    "ACCELERATE_USE_CPU",
    "ACCELERATE_DEBUG_MODE",
    "ACCELERATE_CPU_AFFINITY",
    "ACCELERATE_USE_FSDP",
    "ACCELERATE_USE_DEEPSPEED",
)


def resolve_precision(precision: str) -> str:
    """``"bf16"`` or ``"float32"``; ``"auto"`` is bf16 on hardware with bf16 matrix or dot-product instructions.

    The hardware that counts is the one Accelerate takes: with ``ACCELERATE_USE_CPU=true`` the processor.

    Raises:
        ValueError: for another word, and for an ``ACCELERATE_USE_CPU`` that is neither true nor false.
    """
    if not isinstance(precision, str) or precision not in ("auto", "bf16", "float32"):
        raise ValueError(f'precision must be "auto", "bf16" or "float32", got {shown(precision)}')
    if precision != "auto":
        return precision
    with environment_named():
        on_cpu = parse_flag_from_env("ACCELERATE_USE_CPU")
    if torch.cuda.is_available() and not on_cpu:
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if torch.backends.mps.is_available() and not on_cpu:
        return "float32"
    has = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}  # not in older versions
    return "bf16" if has.get("amx_bf16") or has.get("avx512_bf16") else "float32"


def processes_asked() -> int:
    """How many processes the environment says are training together: ``WORLD_SIZE``, 1 where it is not set.

    Raises:
        ValueError: for something else than a whole number from 1; and for more than one process without the numbers of
            this one (``RANK``, ``LOCAL_RANK``), with which Accelerate would let each of them train alone.
    """
    text = os.environ.get("WORLD_SIZE", "1")
    if not text.isdecimal() or not int(text):
        raise ValueError(
            f"the environment has WORLD_SIZE={text}, which is not a number of processes: correct or unset it"
        )
    missing = [name for name in ("RANK", "LOCAL_RANK") if not os.environ.get(name)]
    if int(text) > 1 and missing:
        raise ValueError(
            f"the environment has WORLD_SIZE={text} but no {' and no '.join(missing)}, so this process does not know "
            "which of them it is: start it with accelerate launch or torchrun, which set them all, or unset WORLD_SIZE"
        )
    for name in ("RANK", "LOCAL_RANK") if int(text) > 1 else ():
        if not (rank := os.environ[name]).isdecimal() or int(rank) >= int(text):
            raise ValueError(f"the environment has {name}={rank}, which is none of 0 to {int(text) - 1}: correct it")
    return int(text)


def check_environment() -> None:
    """``ValueError`` if an environment variable has a value that Accelerate does not take, or names no device here.

    Accelerate finds out by itself, but keeps a half-made state for the rest of the process then.
    """
    processes_asked()
    with environment_named():
        for name in FLAGS:
            parse_flag_from_env(name)
        int(os.environ.get("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "1"))
        PrecisionType(os.environ.get("ACCELERATE_MIXED_PRECISION", "no").lower())
        if device := os.environ.get("ACCELERATE_TORCH_DEVICE"):
            check_device("ACCELERATE_TORCH_DEVICE", device)
            torch.ones(1, device=device).item()  # the meta device does not compute


@contextmanager
def environment_named() -> Iterator[None]:
    """An error that Accelerate raises within the ``with`` names the environment variables that it may come from.

    Raises:
        ValueError: instead of any error, where Accelerate's environment variables are set.
    """
    try:
        yield
    except Exception as error:
        given = environment().get("environment", {})
        if not given:
            raise
        text = " ".join(str(error).split())
        named = {name: value for name, value in given.items() if value and value.lower() in text.lower()} or given
        listed = ", ".join(f"{name}={value}" for name, value in named.items())
        raise ValueError(
            f"the environment has {listed}, which does not work: {text[:200]}. Correct or unset it"
        ) from error


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
