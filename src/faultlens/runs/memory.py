"""Memory: how much of it this process may still take."""

from __future__ import annotations

from pathlib import Path


def free_memory() -> int | None:
    """Bytes that are free, on the machine and within the limit of a container; None: not known."""
    known = [size for size in (_of_machine(), _of_group()) if size is not None]
    return min(known, default=None)


def _of_machine(where: Path = Path("/proc/meminfo")) -> int | None:
    """What Linux says is available; None on other systems."""
    try:
        lines = where.read_text().splitlines()
    except OSError:
        return None
    available = [line.split() for line in lines if line.startswith("MemAvailable:")]
    return int(available[0][1]) * 1024 if available else None


def _of_group(where: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What a container may still take; None where it has no limit."""
    try:
        limit = (where / "memory.max").read_text().strip()
        used = int((where / "memory.current").read_text())
    except (OSError, ValueError):
        return None
    return max(0, int(limit) - used) if limit.isdigit() else None
