"""Which device computes, with how many threads, whether bfloat16 pays there, and what memory is kept."""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

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


@functools.cache
def _own_threads() -> int:
    """How many threads torch takes when nobody says anything: one for each core, or what ``OMP_NUM_THREADS`` says."""
    return torch.get_num_threads()


def use_threads(count: int = 0, *, processes: int = 1) -> int:
    """Have the calling thread, and threads yet to be started, compute with ``count`` processor threads; how many these are.
    0 divides the cores among ``processes``, unless ``OMP_NUM_THREADS`` says how many to take.

    This is the one place that says so. Torch keeps the number for each thread that has computed already, so whatever is
    about to compute calls this itself; pictures do not depend on it.
    """
    own = _own_threads()
    if not count:
        count = own if os.environ.get("OMP_NUM_THREADS") else max(1, own // processes)
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)
    return count


@contextmanager
def one_thread() -> Iterator[None]:
    """Within it the calling thread computes alone: for what is too small to be worth dividing."""
    count = torch.get_num_threads()
    if count == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(count)


def undivided() -> AbstractContextManager[None]:
    """For what torch would divide among threads in such a way that the last bits depend on how many there are: where no
    gradient is wanted, ``one_thread``. Training, which is to be fast, makes no promise about them."""
    return nullcontext() if torch.is_grad_enabled() else one_thread()


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
