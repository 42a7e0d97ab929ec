"""Memory and CPUs we may use: a container's limits count, not only the machine."""

import os
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/")


def memory(root: Path = _ROOT) -> int:
    """Bytes of memory we may use."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    v2 = [_number(folder / "memory.max") for folder in _groups("", root)]
    v1 = [_number(folder / "memory.limit_in_bytes") for folder in _groups("memory", root)]
    return int(min(limit for limit in (physical, *v2, *v1) if limit))


def cpus(root: Path = _ROOT) -> int:
    """CPUs we may use, at least 1; a share of a CPU counts as one."""
    ours = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    v2 = [_v2_quota(folder / "cpu.max") for folder in _groups("", root)]
    v1 = [
        _quota(_number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us"))
        for folder in _groups("cpu", root)
    ]
    return max(1, int(min(limit for limit in (ours, *v2, *v1) if limit)))


def _groups(controller: str, root: Path) -> Iterator[Path]:
    """Folders of our control group and of those above it; "" stands for version 2."""
    mount = root / "sys/fs/cgroup" / controller
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            group = mount / path.lstrip("/")
            yield group
            # Inside a container the path may be the host's, and the mount the container's own.
            yield from (above for above in group.parents if above.is_relative_to(mount))


def _v2_quota(file: Path) -> float | None:
    quota, _, period = _text(file).strip().partition(" ")
    return float(quota) / float(period) if quota.isdecimal() and period.isdecimal() else None


def _quota(quota: int | None, period: int | None) -> float | None:
    return quota / period if quota and period else None


def _number(file: Path) -> int | None:
    """The number in the file; None for "max", -1 and no file, which all mean no limit."""
    text = _text(file).strip()
    return int(text) if text.isdecimal() else None


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
