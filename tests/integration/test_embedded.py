"""The embedded server: real ones, each in a home of its own."""

import os
import signal
import socket
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest

from api.embedded import HOST, USER, Cluster, Server, processes
from api.embedded.account import SHARED
from api.errors import ServerError
from api.settings import Settings
from tests.conftest import COMMAND


@pytest.fixture
def cluster(own_home: Path) -> Cluster:
    return Cluster(Settings.from_environment({"ELUTE_HOME": str(own_home)}))


def connect(
    cluster: Cluster, password: str | None = None
) -> closing[psycopg2.extensions.connection]:
    server = cluster.running()
    assert server
    return closing(
        psycopg2.connect(
            host=HOST,
            port=server.port,
            user=USER,
            password=password or cluster.password(),
            dbname="postgres",
        )
    )


def query(cluster: Cluster, statement: str) -> Any:
    with connect(cluster) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else None


def crash(server: Server) -> None:
    os.kill(server.pid, signal.SIGKILL)
    assert processes.wait(lambda: processes.command_line(server.pid) == [""], 10)


def test_it_starts_in_an_empty_home(cluster: Cluster) -> None:
    cluster.start()
    assert query(cluster, "select 1") == [(1,)]


def test_it_is_reached_on_this_machine_only_and_with_the_password(cluster: Cluster) -> None:
    cluster.start()
    assert query(cluster, "show listen_addresses") == [(HOST,)]
    assert query(cluster, "show unix_socket_directories") == [("",)]
    assert query(cluster, "select distinct auth_method from pg_hba_file_rules") == [
        ("scram-sha-256",)
    ]
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        connect(cluster, password="guessed")
    assert cluster.folder.password.stat().st_mode & 0o777 == 0o600
    assert cluster.folder.data.stat().st_mode & 0o777 == 0o700


def test_text_is_utf8_and_sorts_by_code_point_and_time_is_utc(cluster: Cluster) -> None:
    cluster.start()
    assert query(cluster, "show server_encoding") == [("UTF8",)]
    assert query(cluster, "select datlocprovider::text, datlocale from pg_database limit 1") == [
        ("b", "C.UTF-8")
    ]
    assert query(cluster, "select upper('é')") == [("É",)]
    assert query(cluster, "show timezone") == [("UTC",)]


def test_its_settings_are_in_force(cluster: Cluster) -> None:
    cluster.start()
    wrong = "select name, setting, error from pg_file_settings where error is not null"
    assert query(cluster, wrong) == []
    assert query(cluster, "show wal_level") == [("minimal",)]
    assert query(cluster, "show jit") == [("off",)]
    assert query(cluster, "show fsync") == [("on",)]


def test_settings_changed_by_alter_system_win(cluster: Cluster) -> None:
    cluster.start()
    query(cluster, "alter system set work_mem = '5MB'")
    cluster.stop()
    cluster.start()
    assert query(cluster, "show work_mem") == [("5MB",)]


def test_a_second_start_finds_the_first(cluster: Cluster) -> None:
    assert cluster.start() == cluster.start() == cluster.running()


def test_data_and_port_outlive_a_stop(cluster: Cluster) -> None:
    before = cluster.start()
    query(cluster, "create table kept as select 42 as answer")
    assert cluster.stop()
    assert cluster.running() is None
    after = cluster.start()
    assert after.port == before.port
    assert after.pid != before.pid
    assert query(cluster, "select answer from kept") == [(42,)]


def test_stopping_ends_open_sessions(cluster: Cluster) -> None:
    cluster.start()
    with connect(cluster):
        assert cluster.stop()


def test_stopping_what_does_not_run_is_no_failure(cluster: Cluster) -> None:
    assert not cluster.stop()
    cluster.start()
    cluster.stop()
    assert not cluster.stop()


def test_another_port_is_taken_if_the_last_one_is_in_use(cluster: Cluster) -> None:
    port = cluster.start().port
    cluster.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((HOST, port))
        other.listen()
        assert cluster.start().port != port
        assert query(cluster, "select 1") == [(1,)]


def test_many_starts_at_once_make_one_server(
    cluster: Cluster, own_environment: dict[str, str]
) -> None:
    starts = [
        subprocess.Popen(
            [*COMMAND, "db", "start"],
            env=own_environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    # Reading to the end also shows that the server holds on to none of the pipes.
    answers = {start.communicate(timeout=60) for start in starts}
    assert [start.returncode for start in starts] == [0, 0, 0, 0]
    assert len(answers) == 1, answers
    assert f"process {cluster.start().pid}" in answers.pop()[0]


def test_ctrl_c_in_our_terminal_does_not_reach_it(cluster: Cluster) -> None:
    assert os.getsid(cluster.start().pid) != os.getsid(0)


def test_it_starts_again_after_a_crash(cluster: Cluster) -> None:
    before = cluster.start()
    query(cluster, "create table kept as select 42 as answer")
    query(cluster, "checkpoint")
    crash(before)
    assert cluster.running() is None
    assert cluster.start().pid != before.pid
    assert query(cluster, "select answer from kept") == [(42,)]


def test_a_session_that_outlived_a_crash_is_ended_first(cluster: Cluster) -> None:
    before = cluster.start()
    with connect(cluster) as connection:
        pid = connection.info.backend_pid

        def spin() -> None:
            with pytest.raises(psycopg2.OperationalError):
                connection.cursor().execute("do $$ begin loop end loop; end $$")

        busy = threading.Thread(target=spin)
        busy.start()
        active = f"select 1 from pg_stat_activity where pid = {pid} and state = 'active'"
        assert processes.wait(lambda: query(cluster, active) == [(1,)], 10)
        crash(before)
        assert processes.command_line(pid) != [""]
        cluster.start()
        busy.join(10)
        assert processes.command_line(pid) == [""]
        assert query(cluster, "select 1") == [(1,)]


def test_a_stale_pid_file_harms_no_other_process(cluster: Cluster) -> None:
    cluster.start()
    text = cluster.folder.pid_file.read_text()
    cluster.stop()
    with subprocess.Popen(["sleep", "600"]) as bystander:
        lines = [str(bystander.pid), *text.splitlines()[1:]]
        cluster.folder.pid_file.write_text("\n".join(lines) + "\n")
        assert cluster.running() is None
        assert not cluster.stop()
        cluster.start()
        assert query(cluster, "select 1") == [(1,)]
        assert bystander.poll() is None
        bystander.kill()


def test_two_servers_are_never_started_on_one_data_folder(cluster: Cluster) -> None:
    server = cluster.start()
    cluster.folder.pid_file.rename(cluster.folder.path / "kept.pid")
    with pytest.raises(ServerError, match="in use by a PostgreSQL"):
        cluster.start()
    (cluster.folder.path / "kept.pid").rename(cluster.folder.pid_file)
    assert cluster.running() == server


def test_a_start_that_was_killed_half_way_is_made_good(cluster: Cluster) -> None:
    half = cluster.folder.path / "new" / "data"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    cluster.start()
    assert query(cluster, "select 1") == [(1,)]
    assert not half.parent.exists()


def test_data_of_another_major_version_is_refused(cluster: Cluster) -> None:
    cluster.start()
    cluster.stop()
    (cluster.folder.data / "PG_VERSION").write_text("14\n")
    with pytest.raises(ServerError, match=r"made by PostgreSQL 14.*move .*/postgres away"):
        cluster.start()


def test_a_server_that_cannot_start_says_why(cluster: Cluster) -> None:
    cluster.start()
    cluster.stop()
    with (cluster.folder.data / "postgresql.auto.conf").open("a") as file:
        file.write("max_connections = -5\n")
    with pytest.raises(ServerError, match=r"(?s)max_connections.*start\.log"):
        cluster.start()


def test_a_home_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = Settings.from_environment({"ELUTE_HOME": str(tmp_path / "file" / "home")})
    with pytest.raises(ServerError, match=r"Not a directory.*set ELUTE_HOME"):
        Cluster(settings).start()


def test_any_path_will_do(own_home: Path) -> None:
    home = own_home / '$(touch x) "`a` \\ %s'
    cluster = Cluster(Settings.from_environment({"ELUTE_HOME": str(home)}))
    try:
        assert cluster.start() == cluster.running()
        assert query(cluster, "select 1") == [(1,)]
    finally:
        cluster.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as somebody else")
class TestAsRoot:
    def test_the_server_runs_as_an_ordinary_account(self, cluster: Cluster) -> None:
        server = cluster.start()
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0

    def test_a_home_closed_to_that_account_stays_closed(
        self, own_home: Path, cluster: Cluster
    ) -> None:
        own_home.chmod(0o700)
        cluster.start()
        assert query(cluster, "select 1") == [(1,)]
        assert own_home.stat().st_mode & 0o777 == 0o700
        assert cluster.folder.path.parent == SHARED
        assert (own_home / "postgres").readlink() == cluster.folder.path

    def test_a_full_disk_is_a_clear_error(self, own_home: Path, cluster: Cluster) -> None:
        mount = ["mount", "-t", "tmpfs", "-o", "size=20m,mode=755", "none", str(own_home)]
        if subprocess.run(mount, check=False, stderr=subprocess.DEVNULL).returncode:
            pytest.skip("this container may not mount a small disk")
        try:
            with pytest.raises(ServerError, match=r"needs 64 MB .* has \d+ MB"):
                cluster.start()
        finally:
            subprocess.run(["umount", own_home], check=True)

    @pytest.mark.parametrize(
        ("name", "message"), [("no-such-account", "no account no-such"), ("root", "refuses to run")]
    )
    def test_an_account_that_cannot_run_it_is_a_clear_error(
        self, own_home: Path, name: str, message: str
    ) -> None:
        environment = {"ELUTE_HOME": str(own_home), "ELUTE_POSTGRES_USER": name}
        with pytest.raises(ServerError, match=message):
            Cluster(Settings.from_environment(environment)).start()
