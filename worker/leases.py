"""Names of processes that hold jobs, and whether such a process on this machine is gone."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

from worker.jobs import new_id


@cache
def machine() -> str:
    """A name of this machine, or of this container: equal names share their process numbers."""
    name = socket.gethostname()
    try:
        # Containers may share a host name but never a process namespace; a reboot makes all old numbers void.
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
        return f"{name}.{boot}.{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return name


def process_start(pid: int) -> str | None:
    """When a process started, in the kernel's own unit: a number used again is told apart. ``None``: no such
    process; "": not known on this system."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    try:
        # After the name in brackets: state is the first field, the start time the twentieth.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return "" if not Path("/proc/self").exists() else None
    except OSError:
        return ""
    return None if fields[0] in "ZX" else fields[19]


def new_lease() -> str:
    """A lease for this process: machine, process, a random part."""
    pid = os.getpid()
    return f"{machine()}|{pid}|{process_start(pid)}|{new_id()}"


def is_gone(lease: str) -> bool:
    """True only when the holder ran on this machine and is dead for certain."""
    parts = lease.split("|")
    if len(parts) != 4 or parts[0] != machine() or not parts[1].isdigit():
        return False
    return process_start(int(parts[1])) != parts[2]
