from pathlib import Path

import pytest
from postgres_here._settings import GB, MB, as_file, cpus, memory, server_settings


def test_a_workstation_gives_a_query_plenty() -> None:
    settings = server_settings(memory=24 * GB, cpus=2, disk=100 * GB)
    assert settings["work_mem"] == "512MB"
    assert settings["hash_mem_multiplier"] == "2"
    assert settings["shared_buffers"] == "1024MB"
    assert settings["max_parallel_workers_per_gather"] == "2"
    assert settings["max_wal_size"] == "4096MB"


def test_a_small_container_gives_a_query_little() -> None:
    settings = server_settings(memory=1 * GB, cpus=1, disk=2 * GB)
    assert settings["work_mem"] == "21MB"
    assert settings["shared_buffers"] == "64MB"
    assert settings["max_parallel_workers"] == "1"
    assert settings["max_wal_size"] == "256MB"


def test_nothing_turns_fsync_off() -> None:
    assert "fsync" not in server_settings(memory=1 * GB, cpus=1, disk=1 * GB)


def test_values_are_quoted_for_postgresql_conf() -> None:
    assert (
        as_file({"log_line_prefix": "it's \\ "}).splitlines()[1] == r"log_line_prefix = 'it''s \\ '"
    )


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_without_control_groups_the_whole_machine_counts(tmp_path: Path) -> None:
    assert memory(tmp_path) > 100 * MB
    assert cpus(tmp_path) >= 1


@pytest.mark.parametrize(
    "group",
    ["/", "/lab.slice/elute", "/docker/a-path-of-the-host"],
)
def test_limits_of_version_2_count_wherever_above_us_they_are(tmp_path: Path, group: str) -> None:
    files = {
        "proc/self/cgroup": f"0::{group}\n",
        "sys/fs/cgroup/memory.max": f"{64 * MB}\n",
        "sys/fs/cgroup/cpu.max": "50000 100000\n",
        "sys/fs/cgroup/lab.slice/memory.max": "max\n",
        "sys/fs/cgroup/lab.slice/cpu.max": "max 100000\n",
    }
    root = tree(tmp_path, files)
    assert memory(root) == 64 * MB
    assert cpus(root) == 1


def test_limits_of_version_1_count(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "4:memory:/box\n2:cpu,cpuacct:/box\n1:name=systemd:/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/memory/box/memory.limit_in_bytes": f"{32 * MB}\n",
        "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "100000\n",
        "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }
    root = tree(tmp_path, files)
    assert memory(root) == 32 * MB
    assert cpus(root) == 1
