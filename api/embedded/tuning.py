"""The server settings of the embedded PostgreSQL: the one place to tune them.

They are written to `settings.conf` beside the data folder at each start. `ALTER SYSTEM` and
`SET` win over them.
"""

import os
import shutil
from pathlib import Path

from api.embedded import machine

MB = 1024 * 1024
GB = 1024 * MB


def server_settings(memory: int, cpus: int, disk: int) -> dict[str, str]:
    """Settings for a server on a machine with this many bytes of memory and free disk, and CPUs."""
    parallel = str(min(cpus, 4))
    return {
        # Memory. A build runs few queries at once, each over whole tables: give a sort a lot.
        "shared_buffers": _size(memory / 16, 32 * MB, 1 * GB),
        "work_mem": _size(memory / 48, 8 * MB, 512 * MB),
        "hash_mem_multiplier": "2",
        "maintenance_work_mem": _size(memory / 24, 32 * MB, 1 * GB),
        "effective_cache_size": _size(memory / 2, 128 * MB, 64 * GB),
        "dynamic_shared_memory_type": _shared_memory_type(),
        # Parallel queries pay early here: tables are scanned whole and the machine is ours.
        "max_worker_processes": str(max(8, 2 * cpus)),
        "max_parallel_workers": str(cpus),
        "max_parallel_workers_per_gather": parallel,
        "max_parallel_maintenance_workers": parallel,
        "min_parallel_table_scan_size": "1MB",
        "parallel_setup_cost": "100",
        "parallel_tuple_cost": "0.01",
        # Compiling a query costs more than it saves, and this build has no LLVM anyway.
        "jit": "off",
        # For solid state disks.
        "random_page_cost": "1.1",
        # Writing. A crash may lose the last moments (a build is simply run again) and never
        # corrupts anything: fsync stays on. No replicas, so tables made and filled in one
        # transaction need no log.
        "synchronous_commit": "off",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_wal_size": _size(disk / 10, 256 * MB, 4 * GB),
        "checkpoint_timeout": "15min",
        # Builds make tables and analyze them; autovacuum only has to keep up with the run history.
        "autovacuum_max_workers": "2",
        "autovacuum_naptime": "1min",
        # Connections. A build that was killed must not leave its query running.
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


def for_this_machine(folder: Path) -> dict[str, str]:
    """The settings for a server that keeps its data in `folder` on this machine."""
    return server_settings(machine.memory(), machine.cpus(), shutil.disk_usage(folder).free)


def as_file(settings: dict[str, str]) -> str:
    """The settings in the syntax of postgresql.conf."""
    lines = (f"{name} = '{_quoted(value)}'\n" for name, value in settings.items())
    return "# Written by Elute at each start: changes here are lost.\n" + "".join(lines)


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")


def _size(wanted: float, least: int, most: int) -> str:
    return f"{int(min(max(wanted, least), most)) // MB}MB"


def _shared_memory_type() -> str:
    """Where parallel workers share memory: files where /dev/shm is small (64 MB in Docker)."""
    try:
        shm = os.statvfs("/dev/shm")  # noqa: S108 (looked at, not written to)
    except OSError:
        return "mmap"
    return "posix" if shm.f_bavail * shm.f_frsize >= GB else "mmap"
