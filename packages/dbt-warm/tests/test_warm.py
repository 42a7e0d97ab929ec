"""A real project, built by warm dbt on a real server."""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dbt_warm import Event, Invocation, WarmDbt

LIMIT = 60  # seconds; much longer than anything takes
SLEEP = ["build", "--vars", "{seconds: 600}"]
# Takes away something of dbt's inside that the warm process needs, as a new version might.
BREAKS_WARM_DBT = """
import sys
if "dbt_warm.server" in sys.orig_argv:
    import dbt_common.clients.jinja
    del dbt_common.clients.jinja.template_cache
"""
# Has told its outcome, and does not end.
STAYS = """
import sys
if "dbt_warm.server" in sys.orig_argv:
    import ctypes, dbt_warm.child, signal
    run, with_its_parent = dbt_warm.child.run, ctypes.CDLL(None).prctl
    dbt_warm.child.run = lambda *given: (run(*given), with_its_parent(1, 9), signal.pause())
    dbt_warm.child.ORPHAN_SECONDS = 0
"""
PARENT = """
import os, sys
from dbt_warm import WarmDbt
warm = WarmDbt(sys.argv[1])
for event in warm.invoke(["build", "--vars", "{seconds: 600}"]):
    pass
"""


@pytest.fixture(scope="module")
def warm(project: Any) -> Iterator[WarmDbt]:
    with WarmDbt(project.folder, environment=lambda: project.environment) as warm:
        yield warm


def ended(invocation: Invocation) -> list[Event]:
    return list(invocation)


def renewed(project: Any, warm: WarmDbt) -> None:
    """Wait until a new process has taken over."""
    before = warm_process()

    def is_new() -> bool:
        warm.renew()
        return warm_process() not in (None, before) and warm.is_ready and not warm.loading()

    project.until(is_new)


def warm_process(parent: int | None = None) -> int | None:
    """The only warm process of a parent; None if there is none, or another one coming up."""
    children = Path(f"/proc/{parent or os.getpid()}/task/{parent or os.getpid()}/children")
    found = [int(pid) for pid in children.read_text().split() if is_warm_process(int(pid))]
    return found[0] if len(found) == 1 else None


def is_warm_process(pid: int) -> bool:
    try:
        return b"dbt_warm.server" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except FileNotFoundError:  # It has ended in the meantime.
        return False


def test_it_tells_what_happens_in_order(warm: WarmDbt) -> None:
    invocation = warm.invoke(["build"])
    events = ended(invocation)
    assert invocation.is_warm
    assert invocation.outcome
    assert invocation.outcome.succeeded, invocation.outcome
    assert invocation.outcome.logged == ["built for nobody"]
    started = [event.data for event in events if event.kind == "node_started"]
    finished = {e.data["node"]: e.data for e in events if e.kind == "node_finished"}
    [*_, total] = [event.data["node_count"] for event in events if event.kind == "nodes"]
    # A seed, two tables, two tests, two unit tests; the ephemeral model and the hook do not count.
    assert total == len(finished) == 7
    assert [node["position"] for node in started] == list(range(1, 8))
    seed = finished["seed.shop.orders"]
    assert (seed["status"], seed["resource_type"], seed["rows"]) == ("success", "seed", 3)
    assert list(events) == sorted(events, key=lambda event: event.at)
    log = [event.data["message"] for event in events if event.kind == "log"]
    assert "built for nobody" in log
    assert not any("\x1b" in message for message in log)


def test_a_failed_node_is_no_crash(warm: WarmDbt) -> None:
    invocation = warm.invoke(["build", "--vars", "{worst: 10}"])
    events = ended(invocation)
    assert invocation.outcome
    assert (invocation.outcome.status, invocation.outcome.crash) == ("failed", None)
    [failure] = invocation.outcome.failures
    assert (failure.name, failure.resource_type) == ("share", "model")
    assert "division by zero" in failure.message
    assert "compiled code" not in failure.message
    skipped = [e.data["name"] for e in events if e.data.get("status") == "skipped"]
    assert skipped == ["unique_share_order_id"]


def test_dbt_that_cannot_run_is_a_crash(warm: WarmDbt) -> None:
    for arguments, reason in (
        (["build", "--no-such-option"], "No such option"),
        (["build", "--vars", "{seconds: "], "not valid YAML"),
        (["build", "--target", "none"], "target"),
    ):
        invocation = warm.invoke(arguments)
        ended(invocation)
        assert invocation.outcome
        assert (invocation.outcome.status, invocation.outcome.failures) == ("crashed", [])
        assert reason in (invocation.outcome.crash or "")


def test_an_environment_is_for_its_invocation_only_and_a_secret_for_nobody(
    project: Any, warm: WarmDbt
) -> None:
    # Bytes that are not UTF-8 come out of os.environ as halves of characters.
    environment = {**project.environment, "SHOP_OWNER": "s3cret", "SHOP_ODD": "\udcff"}
    invocation = warm.invoke(["build"], environment=environment, secrets=["s3cret"])
    events = ended(invocation)
    assert invocation.outcome
    assert invocation.outcome.logged == ["built for ***"], invocation.outcome
    assert "s3cret" not in str(events)
    ended(again := warm.invoke(["build"]))
    assert again.outcome
    assert again.outcome.logged == ["built for nobody"]


def test_cancelling_ends_its_queries_too(project: Any, warm: WarmDbt) -> None:
    invocation = warm.invoke(SLEEP)
    project.until(project.sleeping)
    invocation.cancel(seconds=60)
    ended(invocation)
    assert invocation.outcome
    assert invocation.outcome.status == "interrupted"
    assert project.sleeping() == 0
    invocation.cancel()  # too late, and harmless


def test_a_killed_child_harms_nobody(project: Any, warm: WarmDbt) -> None:
    invocation = warm.invoke(SLEEP)
    project.until(project.sleeping)
    invocation.kill()
    ended(invocation)
    assert invocation.outcome
    assert invocation.outcome.status == "died"
    project.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = %s",
        project.schema,
    )
    ended(again := warm.invoke(["build"]))
    assert again.is_warm
    assert again.outcome
    assert again.outcome.succeeded


def test_a_changed_project_is_built_at_once_and_then_kept(project: Any, warm: WarmDbt) -> None:
    model = project.folder / "models" / "added.sql"
    model.write_text("select 1 as one", encoding="utf-8")
    try:
        invocation = warm.invoke(["build", "--select", "added"])
        names = [e.data["name"] for e in ended(invocation) if e.kind == "node_finished"]
        assert names == ["added"]
        assert invocation.is_warm
        renewed(project, warm)
        ended(again := warm.invoke(["build", "--select", "added"]))
        assert again.outcome
        assert again.outcome.succeeded
    finally:
        model.unlink()


def test_what_comes_and_goes_while_dbt_is_loaded_is_not_built(project: Any) -> None:
    model = project.folder / "models" / "added.sql"
    with WarmDbt(project.folder, environment=lambda: project.environment) as warm:
        warm.start()
        try:
            model.write_text("select 1 as one", encoding="utf-8")
            select.select(warm.loading(), [], [], LIMIT)
        finally:
            model.unlink()
        names = [event.data.get("name") for event in warm.invoke(["build"])]
        assert ("orders" in names, "added" in names) == (True, False)
        warm.renew()
        assert warm.loading()  # One is coming that parses what is there now.


def test_a_broken_project_is_a_crash_until_it_is_mended(project: Any, warm: WarmDbt) -> None:
    model = project.folder / "models" / "broken.sql"
    model.write_text("select {{ ref('nothing') }}", encoding="utf-8")
    try:
        for is_renewed in (False, True):  # parsed by the child, and by the warm process
            if is_renewed:
                renewed(project, warm)
            ended(invocation := warm.invoke(["build"]))
            assert invocation.is_warm
            assert invocation.outcome
            assert invocation.outcome.status == "crashed"
            assert "depends on a node named 'nothing'" in (invocation.outcome.crash or "")
    finally:
        model.unlink()
    ended(mended := warm.invoke(["build"]))
    assert mended.outcome
    assert mended.outcome.succeeded


def test_a_process_that_is_gone_is_done_without_and_replaced(
    project: Any, warm: WarmDbt, capfd: pytest.CaptureFixture[str]
) -> None:
    killed(project, warm)
    capfd.readouterr()
    ended(cold := warm.invoke(["build"]))
    assert not cold.is_warm
    assert cold.outcome
    assert cold.outcome.succeeded
    assert "its process is gone" in (warm.problem or "")
    assert capfd.readouterr().err == ""
    renewed(project, warm)
    assert warm.problem is None


def test_a_new_process_is_news_until_it_has_taken_over(project: Any, warm: WarmDbt) -> None:
    pid = killed(project, warm)
    warm.renew()
    project.until(lambda: select.select(warm.loading(), [], [], 0)[0])
    assert warm.loading()
    warm.renew()
    assert warm_process() not in (None, pid)
    assert not warm.loading()


def killed(project: Any, warm: WarmDbt) -> int:
    """Kill the warm process that will be there, and wait for its end."""
    renewed_if_outdated(project, warm)
    pid = warm_process()
    assert pid
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


def renewed_if_outdated(project: Any, warm: WarmDbt) -> None:
    """Wait until the process is there that will be."""

    def is_there() -> bool:
        warm.renew()
        return not warm.loading() and warm_process() is not None

    project.until(is_there)


def test_a_process_that_hangs_is_given_up(project: Any, warm: WarmDbt) -> None:
    renewed_if_outdated(project, warm)
    pid = warm_process()
    assert pid
    os.kill(pid, signal.SIGSTOP)
    invocation = warm.invoke(["build"])
    invocation.cancel(seconds=0.1)
    ended(invocation)
    assert invocation.outcome
    assert invocation.outcome.status == "died"
    assert "did not end an invocation" in (warm.problem or "")


def test_a_killed_parent_leaves_neither_process_nor_query(project: Any) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(project.folder)], env=project.environment
    ) as parent:
        project.until(project.sleeping)
        pid = warm_process(parent.pid)
        assert pid
        parent.kill()
    project.until(lambda: project.sleeping() == 0)
    project.until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_parent_killed_while_dbt_is_loaded_is_no_error(project: Any) -> None:
    command = "import sys, dbt_warm; dbt_warm.WarmDbt(sys.argv[1]).start(); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", command, str(project.folder)],
        env=project.environment,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as parent:
        project.until(lambda: warm_process(parent.pid))
        parent.kill()
        assert parent.stderr
        assert parent.stderr.read() == ""  # to the end of the last process that has it


def test_without_what_it_needs_of_dbt_it_is_cold(project: Any, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BREAKS_WARM_DBT, encoding="utf-8")
    environment = {**project.environment, "PYTHONPATH": str(tmp_path)}
    with WarmDbt(project.folder, environment=lambda: environment) as warm:
        ended(cold := warm.invoke(["build"]))
        assert cold.outcome
        assert cold.outcome.succeeded
        assert not cold.is_warm
        assert "ImportError" in (warm.problem or "")


def test_a_child_that_does_not_end_keeps_no_other_from_being_started(
    project: Any, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(STAYS, encoding="utf-8")
    environment = {**project.environment, "PYTHONPATH": str(tmp_path)}
    with WarmDbt(project.folder, environment=lambda: environment) as warm:
        for _ in range(2):
            ended(invocation := warm.invoke(["list"]))
            assert invocation.is_warm
            assert invocation.outcome
            assert invocation.outcome.succeeded


def test_memory_stays_flat(project: Any, warm: WarmDbt) -> None:
    renewed_if_outdated(project, warm)

    def held() -> int:
        # Not what is private to it: a child that has not quite ended shares that.
        status = Path(f"/proc/{warm_process()}/status").read_text()
        [size] = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(size)

    def list_nodes(times: int) -> None:
        for _ in range(times):
            ended(invocation := warm.invoke(["list"]))
            assert invocation.is_warm
            assert invocation.outcome
            assert invocation.outcome.succeeded

    list_nodes(3)
    before = held()
    list_nodes(20)
    assert held() - before < 1024  # KiB


@pytest.mark.parametrize("waits", [False, True])
def test_a_parent_that_is_killed_while_dbt_is_loaded_is_no_news(project: Any, waits: bool) -> None:
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "dbt_warm.server", str(theirs.fileno())]
    process = subprocess.Popen(
        [*command, "--project-dir", project.folder],
        env=project.environment,
        pass_fds=[theirs.fileno()],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    theirs.close()
    if waits:
        select.select([ours], [], [], LIMIT)  # There is something that nobody will read.
    ours.close()
    said, _ = process.communicate(timeout=LIMIT)
    assert (process.returncode, said) == (0, b"")
