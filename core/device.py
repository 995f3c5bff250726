"""Which device computes, with how many threads, whether bfloat16 pays there, and what memory is kept."""

from __future__ import annotations

import ctypes
import functools
import os

import torch

from core.errors import ParameterError

# Read by torch at its first large allocation: maps of hundreds of megabytes in pages of 2 MB instead of 4 kB.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def pick_device(name: str | None = None) -> torch.device:
    """``name`` ("cpu", "cuda", "cuda:1", "mps") as a device, or the best one found for ``None`` and "auto".

    Raises ``ParameterError`` when there is no such device here.
    """
    if name is None or name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise ParameterError(
            f"There is no device '{name}' here; use cpu, or cuda where a GPU is installed."
        ) from None
    return device


def fast_bfloat16(device: torch.device) -> bool:
    """Whether ``device`` multiplies bfloat16 in hardware (avx512_bf16 or amx on a CPU)."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    if device.type != "cpu":
        return False
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, check, lambda: False)() for check in checks)


def describe(device: torch.device) -> str:
    """One line about the hardware, for model cards and ``doctor``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"


@functools.cache
def keep_memory() -> bool:
    """Let glibc keep what painting frees, up to 256 MB, instead of giving it back: feature maps live for milliseconds, and
    mapping fresh pages for them took a third of a benchmark's processor time. Whether it took the advice; elsewhere
    nothing happens."""
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
    try:
        advise = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(advise(mmap_threshold, 32 << 20)) and bool(advise(trim_threshold, 256 << 20))
