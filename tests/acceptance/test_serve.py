"""`elute serve` as a whole: a real process, its own PostgreSQL, asked over HTTP."""

import fcntl
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest
from postgres_here import HOST, USER, Server

from elute.database.queries import execute
from elute.runs import queue
from elute.settings import CHECKOUT
from tests.conftest import SAMPLE, without_settings
from tests.service import (
    Process,
    Service,
    command_line,
    ended,
    fetch,
    free_port,
    held_up,
    listening,
    pids_of,
    processes_of,
    serving,
    until,
    waits_for_lock,
)

STOP_SECONDS = 10


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serving() as service:
        yield service


def test_the_first_build_is_made_by_itself(service: Service) -> None:
    with listening(service.parameters) as session:
        first = until(lambda: next(iter(queue.page(session)), None), session=session)
        assert first.trigger == "first build"
        assert ended(session, first.run_id).state == "succeeded"
    assert len(service.ask("GET", "/etl-results").json) == 14


def test_a_trigger_waits_for_its_build(service: Service) -> None:
    answer = service.ask("POST", "/trigger-etl?force=1")
    assert (answer.status, answer.json["status"]) == (200, "success")
    run = answer.json["run"]
    assert (run["state"], run["is_warm"]) == ("succeeded", True)


def test_a_second_one_says_where_the_first_is(service: Service) -> None:
    other = service.another(ELUTE_PORT=str(free_port()))
    assert other.process.wait(30) == 1
    assert f"at http://127.0.0.1:{service.port}" in other.said()
    assert service.ask("GET", "/health/live").status == 200


def test_a_taken_port_is_said_in_one_sentence(service: Service, own_home: Path) -> None:
    other = service.another(ELUTE_HOME=str(own_home))
    assert other.process.wait(30) == 1
    assert f"Port {service.port} on 127.0.0.1 is taken by another program." in other.said()
    assert not (own_home / "postgres").exists()


def test_this_machine_has_two_addresses(service: Service) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("there is no IPv6 on this machine")
    for host in ("127.0.0.1", "::1", "localhost"):
        with closing(http.client.HTTPConnection(host, service.port, timeout=30)) as client:
            client.request("GET", "/etl-results?limit=1")
            assert client.getresponse().status == 200


def test_nobody_else_on_this_machine_reads_what_is_written(service: Service) -> None:
    until(lambda: service.ask("GET", "/docs/").status == 200)
    checked = service.ask(
        "PUT", "/inputs/users.csv?dry_run=1", SAMPLE["users.csv"], Content_Type="text/csv"
    )
    assert checked.status == 200
    ours = {"files", "postgres", *(path.name for path in service.home.glob("said-*"))}
    written = [path for path in service.home.iterdir() if path.name not in ours]
    assert {path.name for path in written} >= {"logs", "worker", "uploads", "serve.lock"}
    below = [found for path in written for found in path.rglob("*")]
    others = [str(path) for path in [*written, *below] if path.lstat().st_mode & 0o077]
    assert [path for path in others if not Path(path).is_symlink()] == []


def test_a_token_of_its_own_keeps_others_from_changing_things(
    service: Service, own_home: Path
) -> None:
    database = {f"PG{name}": str(value) for name, value in service.parameters.items()}
    database["PGDATABASE"] = database.pop("PGdbname")
    port = free_port()
    environment = {
        **service.environment,
        **{name.upper(): value for name, value in database.items()},
        "ELUTE_HOME": str(own_home),
        "ELUTE_PORT": str(port),
    }
    file = own_home / "token"
    file.touch()  # as a disk leaves it that was full when it was to be written
    other = Process("serve", "--token", environment=environment, log=own_home / "said.log")
    try:
        until(lambda: "Elute is at" in other.said() or other.process.poll() is not None)
        assert f"Changes need the token in {file}." in other.said()
        assert file.stat().st_mode & 0o777 == 0o600
        token = file.read_text().strip()
        address = f"http://127.0.0.1:{port}"
        assert fetch(f"{address}/etl-results?limit=1").status == 200
        check = (f"{address}/inputs/users.csv?dry_run=1", "PUT", SAMPLE["users.csv"])
        sent = {"Content-Type": "text/csv"}
        assert fetch(*check, sent).status == 401
        assert fetch(*check, {**sent, "Authorization": f"Bearer {token}"}).status == 200
    finally:
        other.stop()


def test_an_open_door_is_refused(service: Service, own_home: Path) -> None:
    other = service.another(ELUTE_HOME=str(own_home), ELUTE_HOST="0.0.0.0")
    assert other.process.wait(30) == 1
    assert "Set ELUTE_TOKEN" in other.said()


def test_a_cancelled_run_leaves_what_is_served(service: Service) -> None:
    before = service.ask("GET", "/etl-results").text
    with listening(service.parameters) as session, held_up(service.parameters):
        run = queue.request(session, "http")
        until(lambda: waits_for_lock(session, run.run_id), session=session)
        assert service.ask("DELETE", f"/runs/{run.run_id}").status == 202
        assert ended(session, run.run_id).state == "cancelled"
        assert execute(session, "backends", {"name": f"elute run {run.run_id}"}) == []
    assert service.ask("GET", "/etl-results").text == before


def test_a_killed_worker_is_replaced_and_its_run_tried_again(service: Service) -> None:
    with listening(service.parameters) as session:
        with held_up(service.parameters):
            run = queue.request(session, "http")
            until(lambda: waits_for_lock(session, run.run_id), session=session)
            [worker] = service.pids_of("worker")
            os.kill(worker, signal.SIGKILL)
            assert ended(session, run.run_id).state == "crashed"
        [again] = [other for other in queue.page(session) if other.retry_of == run.run_id]
        assert ended(session, again.run_id).state == "succeeded"


def test_a_restart_of_postgresql_is_survived(service: Service) -> None:
    with listening(service.parameters) as session, held_up(service.parameters):
        run = queue.request(session, "http")
        until(lambda: waits_for_lock(session, run.run_id), session=session)
        service.cluster.stop()
    # Nobody but the worker starts it again.
    until(service.cluster.running)
    with listening(service.parameters) as session:
        crashed = ended(session, run.run_id)
        assert (crashed.state, crashed.error_kind) == ("crashed", "database")
        [again] = [other for other in queue.page(session) if other.retry_of == run.run_id]
        assert ended(session, again.run_id).state == "succeeded"
    assert service.ask("GET", "/etl-results").status == 200


def test_a_server_that_waits_for_its_sessions_is_started_again(service: Service) -> None:
    before = service.cluster.running()
    assert before
    assert service.ask("GET", "/runs").status == 200
    os.kill(before.pid, signal.SIGTERM)  # a smart shutdown
    until(lambda: service.cluster.running() not in (None, before))
    until(lambda: service.ask("GET", "/health/ready").status == 200)
    assert service.ask("GET", "/etl-results").status == 200
    assert service.ask("POST", "/trigger-etl?force=1").status == 200


def test_postgresql_is_found_on_another_port(service: Service) -> None:
    before = service.cluster.running()
    assert before
    lock = service.home / "postgres" / "starting.lock"
    with lock.open() as held, ExitStack() as stack:
        fcntl.flock(held, fcntl.LOCK_EX)  # Nobody starts it meanwhile.
        service.cluster.stop()
        stack.enter_context(socket.create_server((HOST, before.port)))
        fcntl.flock(held, fcntl.LOCK_UN)
        until(lambda: service.ask("GET", "/health/ready").status == 200)
        assert service.ask("GET", "/etl-results").status == 200
    after = service.cluster.running()
    assert after
    assert after.port != before.port


def test_a_server_of_ones_own_is_let_go_and_found_again(own_home: Path) -> None:
    server = Server(own_home / "own")
    with server, serving(**server_variables(server)) as service:
        second = Process("worker", environment=service.environment, log=own_home / "second.log")
        until(lambda: "standing by" in second.said())
        assert service.ask("POST", "/trigger-etl").status == 200
        assert service.ask("GET", "/health/ready").status == 200
        pid = server.start().pid
        os.kill(pid, signal.SIGTERM)  # It waits for those sessions.
        until(lambda: not any(command_line(pid)))
        assert service.ask("GET", "/health/ready").status == 503
        server.start()
        until(lambda: service.ask("GET", "/health/ready").json["worker"] == "running")
        assert service.ask("GET", "/etl-results").status == 200
        assert service.ask("POST", "/trigger-etl?force=1").status == 200
        second.stop()


def server_variables(server: Server) -> dict[str, str]:
    """The settings that name this server."""
    return {
        "PGHOST": HOST,
        "PGPORT": str(server.start().port),
        "PGUSER": USER,
        "PGPASSWORD": server.password() or "",
        "PGDATABASE": "postgres",
    }


def crash(service: Service) -> None:
    """Have its PostgreSQL lose all that is not on disk, and every session."""
    with listening(service.parameters) as session, session.cursor() as cursor:
        cursor.execute("select pid from pg_stat_activity where backend_type = 'checkpointer'")
        [[checkpointer]] = cursor.fetchall()
    os.kill(checkpointer, signal.SIGKILL)


def test_what_was_answered_outlives_a_crash_of_postgresql(service: Service) -> None:
    for _ in range(3):
        asked = service.ask("POST", "/runs?force=1")
        crash(service)
        assert asked.status == 202

        def found(path: str = f"/runs/{asked.json['run_id']}") -> int | None:
            status = service.ask("GET", path).status
            return None if status == 503 else status

        assert until(found) == 200
    with listening(service.parameters) as session:
        until(lambda: all(run.has_ended for run in queue.page(session)), session=session)


def test_nothing_is_made_of_tables_that_a_crash_of_postgresql_has_emptied(service: Service) -> None:
    assert service.ask("POST", "/trigger-etl?force=1").status == 200
    crash(service)
    until(lambda: service.ask("GET", "/health/ready").status == 200)
    models_alone = f'eval "$({sys.executable} -m elute.cli env)" && dbt run'
    result = subprocess.run(
        ["bash", "-c", models_alone],
        env=service.environment,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    tables = "compounds.csv and that of user_experiments.csv and that of users.csv"
    assert f"The table of {tables} holds, or has held, something else" in result.stdout
    assert len(service.ask("GET", "/etl-results").json) == 14
    assert service.ask("POST", "/trigger-etl?force=1").status == 200


def test_the_web_app_is_started_again_however_often_it_is_killed(service: Service) -> None:
    def answers() -> bool:
        try:
            return service.ask("GET", "/health/live").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def kill() -> None:
        [pid] = until(lambda: service.pids_of("dashboard.server"))
        os.kill(pid, signal.SIGKILL)
        until(lambda: pid not in service.pids_of("dashboard.server"))

    for _ in range(5):
        kill()
    until(answers)
    assert service.process.process.poll() is None


def is_quiet(service: Service) -> bool:
    return not processes_of(service.home) and service.cluster.running() is None


def test_killed_it_leaves_nothing_and_starts_again(service: Service) -> None:
    service.process.stop(signal.SIGKILL)
    until(lambda: is_quiet(service), 20)
    service.start()
    assert service.ask("GET", "/etl-results").status == 200


def test_it_stops_postgresql_also_without_its_helper(service: Service) -> None:
    [helper] = service.pids_of("elute.serve.stop_server")
    os.kill(helper, signal.SIGKILL)
    assert service.process.stop() == 0
    assert is_quiet(service)
    service.start()


MOMENTS: dict[str, Callable[[Path], object]] = {
    "its helper": lambda home: pids_of(home, "elute.serve.stop_server"),
    "initdb": lambda home: (home / "postgres" / "new" / "data").exists(),
    "PostgreSQL": lambda home: (home / "postgres" / "settings.conf").exists(),
    "the web app": lambda home: pids_of(home, "dashboard.server"),
    "dbt": lambda home: pids_of(home, "dbt_warm.server"),
    "all of it": lambda home: "Elute is at" in (home / "said.log").read_text(encoding="utf-8"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_all_told_to_end_while_it_starts_leave_nothing(own_home: Path, moment: str) -> None:
    """As systemd does, which tells every process."""
    environment = {
        **without_settings(),
        "ELUTE_HOME": str(own_home),
        "ELUTE_PORT": str(free_port()),
    }
    process = Process("serve", environment=environment, log=own_home / "said.log")
    until(lambda: MOMENTS[moment](own_home))
    for pid in processes_of(own_home):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    process.stop(seconds=STOP_SECONDS)
    until(lambda: not processes_of(own_home), STOP_SECONDS)
    assert not Server(own_home / "postgres").stop()  # None was left.
    assert "Traceback" not in process.said()


def test_ctrl_c_stops_it_all_while_a_run_goes_on(service: Service) -> None:
    with listening(service.parameters) as session, held_up(service.parameters):
        run = queue.request(session, "http")
        until(lambda: waits_for_lock(session, run.run_id), session=session)
        started = time.monotonic()
        assert service.process.stop(signal.SIGINT) == 0
        assert time.monotonic() - started < STOP_SECONDS
    assert is_quiet(service)
    assert "Traceback" not in service.process.said()
