"""The server's settings, by the memory, processors and disk that it may use.

A container's limits count, not only the machine. `ALTER SYSTEM` and `SET` win over these settings.
"""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

MB = 1024 * 1024
GB = 1024 * MB
# Also for initdb.
SHARED_MEMORY = {
    # Files in the data folder. Those in /dev/shm are no faster, are removed by systemd when the
    # account logs out, stay after a crash, and a container has only 64 MB for them.
    "dynamic_shared_memory_type": "mmap",
    # In a container there may be some without a share for us: their first use is a SIGBUS.
    "huge_pages": "off",
}
_ROOT = Path("/")


def for_this_machine(folder: Path) -> dict[str, str]:
    """The settings for a server that keeps its data in `folder` on this machine."""
    return server_settings(memory(), cpus(), shutil.disk_usage(folder).free)


def server_settings(memory: int, cpus: int, disk: int) -> dict[str, str]:
    """Settings for a server on a machine with this many bytes of memory and free disk, and CPUs."""
    parallel = str(min(cpus, 4))
    return {
        # Memory. Few queries at once, each over whole tables: give a sort a lot.
        "shared_buffers": _size(memory / 16, 32 * MB, 1 * GB),
        "work_mem": _size(memory / 48, 8 * MB, 512 * MB),
        "hash_mem_multiplier": "2",
        "maintenance_work_mem": _size(memory / 24, 32 * MB, 1 * GB),
        "effective_cache_size": _size(memory / 2, 128 * MB, 64 * GB),
        **SHARED_MEMORY,
        # Parallel queries pay early here: tables are scanned whole and the machine is ours.
        "max_worker_processes": str(max(8, 2 * cpus)),
        "max_parallel_workers": str(cpus),
        "max_parallel_workers_per_gather": parallel,
        "max_parallel_maintenance_workers": parallel,
        "min_parallel_table_scan_size": "1MB",
        "parallel_setup_cost": "100",
        "parallel_tuple_cost": "0.01",
        # Compiling a query costs more than it saves, and the wheel has no LLVM anyway.
        "jit": "off",
        # For solid state disks.
        "random_page_cost": "1.1",
        # No replicas, so tables made and filled in one transaction need no log.
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_wal_size": _size(disk / 10, 256 * MB, 4 * GB),
        # Builds make thousands of files, and a stop writes out those that are left. It has time for
        # those of a minute or so.
        "checkpoint_timeout": "1min",
        "checkpoint_completion_target": "0.1",
        # A recovery begins by writing out every file, of which builds make thousands; Linux does so
        # for a whole file system at once.
        "recovery_init_sync_method": "syncfs" if sys.platform == "linux" else "fsync",
        "autovacuum_max_workers": "2",
        "autovacuum_naptime": "1min",
        # Connections. A client that was killed must not leave its query running.
        "max_connections": "100",
        "client_connection_check_interval": "1s",
        "timezone": "UTC",
        # One log file a weekday, each begun anew after a week.
        "logging_collector": "on",
        "log_directory": "log",
        "log_filename": "postgresql-%a.log",
        "log_truncate_on_rotation": "on",
        "log_rotation_age": "1d",
        "log_rotation_size": "0",
        "log_line_prefix": "%m [%p] %q%a ",
        "log_timezone": "UTC",
        "log_min_duration_statement": "10s",
        "log_checkpoints": "off",
    }


def as_file(settings: Mapping[str, str]) -> str:
    """The settings in the syntax of postgresql.conf."""
    lines = (f"{name} = '{_quoted(value)}'\n" for name, value in settings.items())
    return "# Written at each start: changes here are lost.\n" + "".join(lines)


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


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")


def _size(wanted: float, least: int, most: int) -> str:
    return f"{int(min(max(wanted, least), most)) // MB}MB"
