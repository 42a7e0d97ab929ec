"""Real servers, each in a folder of its own."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest
from postgres_here import (
    HOST,
    USER,
    AccountError,
    FolderError,
    Running,
    Server,
    ServerError,
    VersionError,
    accepts,
)
from postgres_here import _processes as processes
from postgres_here._account import Account
from postgres_here._files import Folder, locked

# Where there is another one than that of all temporary files, it is faster.
SCRATCH_DIR = os.environ.get("SCRATCH_DIR")


@pytest.fixture(scope="session")
def spare() -> Iterator[Path]:
    """Where root's servers keep what they cannot keep elsewhere."""
    # Not tmp_path: only root may enter that, and root's server runs as another account.
    with new_folder(SCRATCH_DIR) as folder:
        yield folder


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder for one test, awkwardly named."""
    with new_folder(SCRATCH_DIR) as folder:
        home = folder / "it's Émile's home"
        home.mkdir()
        yield home


@contextmanager
def new_folder(parent: str | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="postgres-here-", dir=parent) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture
def server(home: Path, spare: Path) -> Iterator[Server]:
    """A server that is not made yet."""
    server = Server(home / "postgres", spare=spare)
    try:
        yield server
    finally:
        server.stop()


def connect(server: Server, password: str | None = None) -> closing[psycopg2.extensions.connection]:
    running = server.running()
    assert running
    return closing(
        psycopg2.connect(
            host=HOST,
            port=running.port,
            user=USER,
            password=password or server.password(),
            dbname="postgres",
        )
    )


def query(server: Server, statement: str) -> Any:
    with connect(server) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else None


def crash(running: Running) -> None:
    os.kill(running.pid, signal.SIGKILL)
    assert processes.wait(lambda: processes.command_line(running.pid) == [""], 10)


def test_it_starts_in_an_empty_folder(server: Server) -> None:
    server.start()
    assert query(server, "select 1") == [(1,)]


def test_it_is_reached_on_this_machine_only_and_with_the_password(server: Server) -> None:
    server.start()
    assert query(server, "show listen_addresses") == [(HOST,)]
    assert query(server, "show unix_socket_directories") == [("",)]
    assert query(server, "select distinct auth_method from pg_hba_file_rules") == [
        ("scram-sha-256",)
    ]
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        connect(server, password="guessed")
    assert (server.folder / "password").stat().st_mode & 0o777 == 0o600
    assert server.data.stat().st_mode & 0o777 == 0o700


def test_text_is_utf8_and_sorts_by_code_point_and_time_is_utc(server: Server) -> None:
    server.start()
    assert query(server, "show server_encoding") == [("UTF8",)]
    assert query(server, "select datlocprovider::text, datlocale from pg_database limit 1") == [
        ("b", "C.UTF-8")
    ]
    assert query(server, "select upper('é')") == [("É",)]
    assert query(server, "show timezone") == [("UTC",)]


def test_its_settings_are_in_force(server: Server) -> None:
    server.start()
    wrong = "select name, setting, error from pg_file_settings where error is not null"
    assert query(server, wrong) == []
    assert query(server, "show wal_level") == [("minimal",)]
    assert query(server, "show jit") == [("off",)]
    assert query(server, "show fsync") == [("on",)]


def test_settings_changed_by_alter_system_win(server: Server) -> None:
    server.start()
    query(server, "alter system set work_mem = '5MB'")
    server.stop()
    server.start()
    assert query(server, "show work_mem") == [("5MB",)]


def test_settings_that_are_passed_win_over_ours(home: Path, spare: Path) -> None:
    with Server(home / "postgres", spare=spare, settings={"jit": "on"}) as server:
        assert query(server, "show jit") == [("on",)]


def test_the_url_is_what_drivers_read(server: Server) -> None:
    with pytest.raises(ServerError, match="is not running"):
        server.url()
    server.start()
    with closing(psycopg2.connect(server.url("postgres"))) as connection:
        assert connection.info.user == USER


def test_a_with_block_stops_what_it_has_started(server: Server) -> None:
    with server:
        assert server.running()
    assert server.running() is None


def test_a_with_block_leaves_running_what_it_has_found(server: Server) -> None:
    server.start()
    with server:
        pass
    assert server.running()


def test_a_second_start_finds_the_first(server: Server) -> None:
    assert server.start() == server.start() == server.running()


def test_data_and_port_outlive_a_stop(server: Server) -> None:
    before = server.start()
    query(server, "create table kept as select 42 as answer")
    assert server.stop()
    assert server.running() is None
    after = server.start()
    assert after.port == before.port
    assert after.pid != before.pid
    assert query(server, "select answer from kept") == [(42,)]


def test_stopping_ends_open_sessions(server: Server) -> None:
    server.start()
    with connect(server):
        assert server.stop()


def test_stopping_what_does_not_run_is_no_failure(server: Server) -> None:
    assert not server.stop()
    port = server.start().port
    server.stop()
    assert not server.stop()
    assert accepts(HOST, port) is None


def test_another_port_is_taken_if_the_last_one_is_in_use(server: Server) -> None:
    port = server.start().port
    server.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((HOST, port))
        other.listen()
        assert server.start().port != port
        assert query(server, "select 1") == [(1,)]


def test_many_starts_at_once_make_one_server(server: Server, home: Path, spare: Path) -> None:
    start = (
        "import sys; from postgres_here import Server; "
        "print(Server(sys.argv[1], spare=sys.argv[2]).start().pid)"
    )
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", start, home / "postgres", spare],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    # Reading to the end also shows that the server holds on to none of the pipes.
    answers = {start.communicate(timeout=60) for start in starts}
    assert [start.returncode for start in starts] == [0, 0, 0, 0]
    assert answers == {(f"{server.start().pid}\n", "")}


def test_another_start_may_be_quicker_to_make_the_folder(
    server: Server, home: Path, spare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    can_reach = Account.can_reach
    others: list[Running] = []

    def after_another_start(account: Account, folder: Path) -> bool:
        monkeypatch.undo()
        others.append(Server(home / "postgres", spare=spare).start())
        return can_reach(account, folder)

    monkeypatch.setattr(Account, "can_reach", after_another_start)
    assert [server.start()] == others


def test_ctrl_c_in_our_terminal_does_not_reach_it(server: Server) -> None:
    assert os.getsid(server.start().pid) != os.getsid(0)


def test_it_starts_again_after_a_crash(server: Server) -> None:
    before = server.start()
    query(server, "create table kept as select 42 as answer")
    query(server, "checkpoint")
    crash(before)
    assert server.running() is None
    assert server.start().pid != before.pid
    assert query(server, "select answer from kept") == [(42,)]


def test_a_session_that_outlived_a_crash_is_ended_first(server: Server) -> None:
    before = server.start()
    with connect(server) as connection:
        pid = connection.info.backend_pid

        def spin() -> None:
            with pytest.raises(psycopg2.OperationalError):
                connection.cursor().execute("do $$ begin loop end loop; end $$")

        busy = threading.Thread(target=spin)
        busy.start()
        active = f"select 1 from pg_stat_activity where pid = {pid} and state = 'active'"
        assert processes.wait(lambda: query(server, active) == [(1,)], 10)
        crash(before)
        assert processes.command_line(pid) != [""]
        server.start()
        busy.join(10)
        assert processes.command_line(pid) == [""]
        assert query(server, "select 1") == [(1,)]


def processes_of(server: Server, kind: str) -> list[int]:
    """Ids of the server's processes of that kind, such as "checkpointer"."""
    pids = processes._all_of(Folder(server.folder))
    return [pid for pid in pids if f": {kind}" in processes.command_line(pid)[0]]


@pytest.mark.parametrize("kind", ["checkpointer", "background writer", "walwriter", USER])
def test_a_stop_ends_a_server_that_has_lost_a_process(server: Server, kind: str) -> None:
    server.start()
    query(server, "create table kept as select 42 as answer")
    with connect(server):
        os.kill(processes_of(server, kind)[0], signal.SIGKILL)
        assert stops_in_time(server)
    server.start()
    assert query(server, "select answer from kept") == [(42,)]


def recovering(server: Server) -> Running:
    """A server that has lost a process, and has 300,000 rows to make good."""
    running = server.start()
    query(server, "create table kept (x text)")
    query(server, "insert into kept select repeat('x', 200) from generate_series(1, 300000)")
    os.kill(processes_of(server, "checkpointer")[0], signal.SIGKILL)
    assert processes.wait(lambda: bool(processes_of(server, "startup")), 30)
    return running


def test_a_start_waits_for_a_server_that_recovers(server: Server) -> None:
    running = recovering(server)
    assert server.running() is None
    assert server.start() == running
    assert query(server, "select count(*) from kept") == [(300000,)]


def test_a_stop_ends_a_server_that_recovers(server: Server) -> None:
    running = recovering(server)
    assert stops_in_time(server)
    assert processes.command_line(running.pid) == [""]
    server.start()
    assert query(server, "select count(*) from kept") == [(300000,)]


def test_a_stop_ends_a_server_that_does_not_answer(server: Server) -> None:
    running = server.start()
    query(server, "create table kept as select 42 as answer")
    os.kill(running.pid, signal.SIGSTOP)
    assert stops_in_time(server)
    server.start()
    assert query(server, "select answer from kept") == [(42,)]


def stops_in_time(server: Server) -> bool:
    begin = time.monotonic()
    return server.stop() and time.monotonic() - begin < 11


def test_a_start_ends_a_server_that_waits_for_its_clients(server: Server) -> None:
    before = server.start()
    assert accepts(HOST, before.port) is True
    with connect(server):
        os.kill(before.pid, signal.SIGTERM)
        assert processes.wait(lambda: server.running() is None, 10)
        assert accepts(HOST, before.port) is False
        assert server.start().pid != before.pid
        assert query(server, "select 1") == [(1,)]


def test_a_stop_does_not_wait_for_a_start_that_waits_for_the_server(server: Server) -> None:
    server.start()
    with locked(server.folder / "starting.lock"):
        assert server.stop()
    assert server.running() is None


def test_a_stop_ends_what_is_being_made(server: Server) -> None:
    def start() -> None:
        with suppress(ServerError):  # It may see that the server has ended.
            server.start()

    starting = threading.Thread(target=start)
    starting.start()
    assert processes.wait((server.folder / "new").exists, 30)
    assert server.stop()
    starting.join(30)
    assert server.running() is None


def test_it_keeps_nothing_in_dev_shm(server: Server) -> None:
    # systemd's RemoveIPC removes it when the account logs out.
    running = server.start()
    assert query(server, "show dynamic_shared_memory_type") == [("mmap",)]
    assert "/dev/shm/PostgreSQL" not in Path(f"/proc/{running.pid}/maps").read_text()


def test_huge_pages_are_not_tried(server: Server) -> None:
    server.start()
    assert query(server, "show huge_pages") == [("off",)]


def test_a_data_folder_that_is_open_to_others_is_closed(server: Server) -> None:
    server.start()
    server.stop()
    server.data.chmod(0o755)
    server.start()
    assert server.data.stat().st_mode & 0o777 == 0o700


def test_a_stale_pid_file_harms_no_other_process(server: Server) -> None:
    server.start()
    pid_file = server.data / "postmaster.pid"
    text = pid_file.read_text()
    server.stop()
    with subprocess.Popen(["sleep", "600"]) as bystander:
        lines = [str(bystander.pid), *text.splitlines()[1:]]
        pid_file.write_text("\n".join(lines) + "\n")
        assert server.running() is None
        assert not server.stop()
        server.start()
        assert query(server, "select 1") == [(1,)]
        assert bystander.poll() is None
        bystander.kill()


def test_a_server_without_a_pid_file_is_found(server: Server) -> None:
    """As one has none in its first moments, when its start may be killed."""
    for end in (server.stop, server.start):
        running = server.start()
        (server.data / "postmaster.pid").unlink()
        assert end()
        assert processes.command_line(running.pid) == [""]
    assert query(server, "select 1") == [(1,)]


@pytest.fixture
def moved(server: Server, home: Path, spare: Path) -> Iterator[Server]:
    """The server of a folder that was renamed while it ran."""
    server.start()
    query(server, "create table kept as select 42 as answer")
    new = home.rename(home.with_name("renamed"))
    server = Server(new / "postgres", spare=spare)
    try:
        yield server
    finally:
        server.stop()


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/fd").exists(), reason="only /proc tells which files a process has open"
)


@needs_proc
def test_the_server_of_a_folder_that_was_renamed_is_found_and_stopped(moved: Server) -> None:
    running = moved.running()
    assert running
    assert query(moved, "select answer from kept") == [(42,)]
    (moved.data / "postmaster.pid").unlink()
    assert stops_in_time(moved)
    assert processes.command_line(running.pid) == [""]


@needs_proc
def test_a_start_gives_a_folder_that_was_renamed_a_server_with_its_paths(moved: Server) -> None:
    before = moved.running()
    assert before
    after = moved.start()
    assert (after.pid != before.pid, after.port) == (True, before.port)
    assert processes.command_line(before.pid) == [""]
    assert query(moved, "show data_directory") == [(str(moved.data),)]
    assert query(moved, "select answer from kept") == [(42,)]
    assert moved.start() == after


@needs_proc
def test_what_outlived_a_crash_in_a_renamed_folder_is_ended_first(moved: Server) -> None:
    before = moved.running()
    assert before
    [child] = processes_of(moved, "checkpointer")
    os.kill(child, signal.SIGSTOP)
    crash(before)
    assert processes.command_line(child) != [""]
    moved.start()
    assert processes.command_line(child) == [""]
    assert query(moved, "select answer from kept") == [(42,)]


@needs_proc
def test_a_new_folder_by_the_old_name_has_nothing_to_do_with_the_renamed_one(
    server: Server, moved: Server
) -> None:
    running = moved.running()
    assert server.running() is None
    assert server.start() != running
    assert server.stop()
    assert moved.running() == running
    assert query(moved, "select answer from kept") == [(42,)]


@needs_proc
def test_a_folder_of_two_names_has_not_moved(server: Server, home: Path) -> None:
    running = server.start()
    other = f"/proc/{os.getpid()}/root{home}/postgres"
    assert processes.is_postmaster(running.pid, Folder(Path(other)))
    assert not processes.has_moved(running.pid, Folder(Path(other)))


def test_two_servers_are_never_started_on_one_data_folder(server: Server) -> None:
    server.start()
    server.stop()
    with locked(server.folder / "alive.lock"):
        with pytest.raises(FolderError, match="in use by a PostgreSQL"):
            server.start()
        with pytest.raises(ServerError, match="in another container"):
            server.stop()


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.2, 0.4])
def test_a_start_begins_anew_when_another_was_killed(server: Server, seconds: float) -> None:
    start = "import sys; from postgres_here import Server; Server(sys.argv[1]).start()"
    with subprocess.Popen([sys.executable, "-c", start, server.folder]) as other:
        assert processes.wait((server.folder / "new" / "data").exists, 30)
        with suppress(subprocess.TimeoutExpired):
            other.wait(seconds)
        other.kill()
    server.start()
    assert query(server, "select 1") == [(1,)]
    assert not (server.folder / "new").exists()


def test_a_start_that_was_killed_half_way_is_made_good(server: Server) -> None:
    half = server.folder / "new" / "data"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    server.start()
    assert query(server, "select 1") == [(1,)]
    assert not half.parent.exists()


def test_data_of_another_major_version_is_refused(server: Server) -> None:
    server.start()
    server.stop()
    (server.data / "PG_VERSION").write_text("14\n")
    with pytest.raises(VersionError, match=r"made by PostgreSQL 14.*move .*/postgres away"):
        server.start()


def test_a_server_that_cannot_start_says_why(server: Server) -> None:
    server.start()
    server.stop()
    with (server.data / "postgresql.auto.conf").open("a") as file:
        file.write("max_connections = -5\n")
    with pytest.raises(ServerError, match=r"(?s)max_connections.*start\.log"):
        server.start()


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderError, match=r"File exists: .*file'.*use another folder"):
        Server(tmp_path / "file" / "postgres").start()


def test_any_path_will_do(home: Path, spare: Path) -> None:
    with Server(home / '$(touch x) "`a` \\ %s', spare=spare) as server:
        assert server.start() == server.running()
        assert query(server, "select 1") == [(1,)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as somebody else")
class TestAsRoot:
    def test_the_server_runs_as_an_ordinary_account(self, server: Server) -> None:
        running = server.start()
        assert Path(f"/proc/{running.pid}").stat().st_uid != 0

    def test_a_folder_closed_to_that_account_stays_closed(
        self, home: Path, server: Server, spare: Path
    ) -> None:
        home.chmod(0o700)
        server.start()
        assert query(server, "select 1") == [(1,)]
        assert home.stat().st_mode & 0o777 == 0o700
        assert server.folder.parent == spare.resolve()
        assert (home / "postgres").readlink() == server.folder

    def test_data_that_a_backup_gave_to_root_is_given_back(self, server: Server) -> None:
        server.start()
        query(server, "create table kept as select 42 as answer")
        server.stop()
        subprocess.run(["chown", "-R", "root:", server.data], check=True)
        running = server.start()
        assert Path(f"/proc/{running.pid}").stat().st_uid != 0
        assert query(server, "select answer from kept") == [(42,)]

    def test_it_needs_no_right_to_look_into_the_processes_of_others(self, home: Path) -> None:
        """As in a container without CAP_SYS_PTRACE."""
        program = """if True:
            import sys
            from postgres_here import Server

            with Server(sys.argv[1] + "/postgres", spare=sys.argv[1] + "/spare") as server:
                assert server.start() == server.running()
            assert server.running() is None
        """
        less = ["setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace"]
        command = [*less, sys.executable, "-c", program, str(home)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")

    def test_it_needs_neither_tmp_nor_dev_shm(self) -> None:
        """As in a container with a small /dev/shm and a file system that is read-only."""
        mounts = """
            mount -t tmpfs -o size=64k none /dev/shm && mount --rbind "$1" "$1" &&
            mount --bind "$2" "$2" && mount -o remount,bind,ro "$1" || exit 77
            exec "$3" -c "$4" "$2"
        """
        program = """if True:
            import psycopg2, sys
            from postgres_here import Server

            with Server(sys.argv[1] + "/postgres", spare=sys.argv[1] + "/spare") as server:
                session = psycopg2.connect(server.url())
                cursor = session.cursor()
                cursor.execute("set debug_parallel_query = on")
                cursor.execute("explain (analyze) select count(*) from pg_class")
                assert "Workers Launched: 1" in str(cursor.fetchall())
                session.close()
        """
        shell = ["unshare", "--mount", "sh", "-c", mounts, "sh"]
        with new_folder(tempfile.gettempdir()) as home:
            arguments = [tempfile.gettempdir(), str(home), sys.executable, program]
            done = subprocess.run([*shell, *arguments], check=False, capture_output=True, text=True)
        if done.returncode == 77:
            pytest.skip("this container may not mount anything")
        assert (done.returncode, done.stderr) == (0, "")

    def test_a_full_disk_is_a_clear_error(self, home: Path, server: Server) -> None:
        mount = ["mount", "-t", "tmpfs", "-o", "size=20m,mode=755", "none", str(home)]
        if subprocess.run(mount, check=False, stderr=subprocess.DEVNULL).returncode:
            pytest.skip("this container may not mount a small disk")
        try:
            with pytest.raises(FolderError, match=r"needs 64 MB .* has \d+ MB"):
                server.start()
        finally:
            subprocess.run(["umount", home], check=True)

    @pytest.mark.parametrize(
        ("name", "message"), [("no-such-account", "no account no-such"), ("root", "refuses to run")]
    )
    def test_an_account_that_cannot_run_it_is_a_clear_error(
        self, home: Path, name: str, message: str
    ) -> None:
        with pytest.raises(AccountError, match=message):
            Server(home / "postgres", account=name).start()
