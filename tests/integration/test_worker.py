"""A worker as a real process, on a copy of the project: runs as they are carried out."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.run_responses import message_of
from elute import provenance
from elute.database import history, schema
from elute.database.faults import ENDED, LOST
from elute.database.queries import execute
from elute.database.sessions import Session
from elute.runs import queue
from elute.runs.run import Run
from elute.settings import CHECKOUT, Settings
from tests.conftest import SAMPLE, own_database
from tests.integration.conftest import Laboratory
from tests.service import (
    Process,
    command_line,
    ended,
    held_up,
    listening,
    processes_of,
    until,
    waits_for_lock,
)
from tests.warm_elute import WarmElute

# Takes away what warm dbt needs of dbt's internals, as a new version might.
BREAKS_WARM_DBT = """
import sys
if "dbt_warm.server" in sys.orig_argv:
    import dbt_common.clients.jinja
    del dbt_common.clients.jinja.template_cache
"""


def settings_for(home: Path, **changes: str) -> Settings:
    return Settings.from_environment({"ELUTE_HOME": str(home), **changes})


class Place:
    """A database, a copy of the project, a folder of files, and what goes on there.

    Attributes:
        laboratory: its files and its tables.
        checkout: the copy.
        active: the worker that most tests share.
    """

    active: Process

    def __init__(self, folder: Path, parameters: dict[str, Any], warm: WarmElute) -> None:
        self.parameters = parameters
        self.checkout, self.folder = folder / "checkout", folder
        for name in ("api", "dashboard", "elute", "dbt_project", "seeds"):
            shutil.copytree(
                CHECKOUT / name,
                self.checkout / name,
                symlinks=True,
                ignore=shutil.ignore_patterns("__pycache__", "target"),
            )
        shutil.copy2(CHECKOUT / "profiles.yml", self.checkout)
        for path in self.checkout.glob("dbt_project/models/*/*.yml"):
            # A quarter of a build's time, and of no interest here.
            path.write_bytes(path.read_bytes().partition(b"\nunit_tests:\n")[0])
        home = folder / "home"
        home.mkdir()
        self.laboratory = Laboratory(home, parameters, warm)
        self.laboratory.write(SAMPLE)

    def worker(self, **changes: str) -> Process:
        """Start one."""
        return Process(
            "worker",
            environment={**self.laboratory.environment, **changes},
            log=self.folder / f"worker-{len(list(self.folder.glob('*.log')))}.log",
            checkout=self.checkout,
        )


@pytest.fixture(scope="module")
def place(
    connection_parameters: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
    warm: WarmElute,
) -> Iterator[Place]:
    with own_database(connection_parameters, "worker") as parameters:
        schema.upgrade({**os.environ, "PGDATABASE": parameters["dbname"]})
        place = Place(tmp_path_factory.mktemp("place"), parameters, warm)
        place.active = place.worker()
        with listening(place.parameters) as session:
            first = until(lambda: next(iter(queue.page(session)), None), session=session)
            assert first.trigger == "first build"
            assert ended(session, first.run_id).state == "succeeded", place.active.said()
        yield place
        place.active.stop()


@pytest.fixture
def worker(place: Place) -> Process:
    """The active one; a new one if a test has ended that."""
    if place.active.process.poll() is not None:
        place.active = place.worker()
    until(lambda: "Active" in place.active.said())
    return place.active


@pytest.fixture
def nobody(place: Place) -> None:
    """No worker is active."""
    place.active.stop()


@pytest.fixture
def session(place: Place, worker: Process) -> Iterator[Session]:
    with listening(place.parameters) as session:
        yield session


def carried_out(session: Session, **asked: Any) -> Run:
    return ended(session, queue.request(session, "http", "test", **asked).run_id)


def log_of(session: Session, run: Run) -> str:
    events = queue.events_after(session, run.run_id, limit=10_000)
    return "\n".join(event.data["message"] for event in events if event.kind == "log")


def test_a_run_tells_what_happens_in_order(session: Session) -> None:
    run = carried_out(session)
    assert (run.state, run.is_warm, run.error) == ("succeeded", True, None)
    assert run.inputs is not None
    assert [file["source_file"] for file in run.inputs] == [
        "users.csv",
        "user_experiments.csv",
        "compounds.csv",
    ]
    events = queue.events_after(session, run.run_id, limit=10_000)
    kinds = [event.kind for event in events]
    assert (kinds[0], kinds[-1]) == ("started", "finished")
    assert [event.event_number for event in events] == list(range(1, len(events) + 1))
    started = [event.data["position"] for event in events if event.kind == "node_started"]
    ended_nodes = {e.data["node"]: e.data for e in events if e.kind == "node_finished"}
    assert started == list(range(1, (run.node_count or 0) + 1))
    assert len(ended_nodes) == run.node_count
    seed = ended_nodes["seed.elute.users"]
    assert (seed["status"], seed["rows"], seed["resource_type"]) == ("success", 14, "seed")
    assert events[-1].data == {"state": "succeeded", "error_kind": None, "error": None}
    # A server that trusts everybody needs none.
    password = os.environ.get("PGPASSWORD") or "?no password?"
    assert password not in json.dumps([event.data for event in events])


def test_it_builds_what_a_terminal_builds(place: Place, session: Session) -> None:
    assert carried_out(session).state == "succeeded"
    marts = place.laboratory.marts()
    assert place.laboratory.build().returncode == 0
    assert place.laboratory.marts() == marts


def test_a_ratio_holds_for_its_run_only(session: Session) -> None:
    strict = carried_out(session, options={"max_dropped_ratio": 0.0})
    assert (strict.state, strict.error_kind) == ("failed", "input")
    assert "1 of 72 records were dropped" in (strict.error or "")
    assert strict.is_warm
    assert "parsing" not in log_of(session, strict)
    assert carried_out(session).state == "succeeded"


def test_a_bad_file_is_named(place: Place, session: Session) -> None:
    place.laboratory.write({"users.csv": SAMPLE["users.csv"] + b"15,a,b,c,d,e\n"})
    try:
        run = carried_out(session)
    finally:
        place.laboratory.write(SAMPLE)
    assert (run.state, run.error_kind) == ("failed", "input")
    assert "users.csv, line 16: 6 fields where 4 are expected" in (run.error or "")
    assert str(place.folder) not in (run.error or "")


def test_a_cancelled_run_leaves_the_marts_and_no_session(place: Place, session: Session) -> None:
    marts = place.laboratory.marts()
    with held_up(place.parameters):
        run = queue.request(session, "http")
        until(lambda: waits_for_lock(session, run.run_id), session=session)
        queue.cancel(session, run.run_id)
        done = ended(session, run.run_id)
        name = {"name": f"elute run {run.run_id}"}
        assert execute(session, "backends", name) == []
    assert (done.state, done.error) == ("cancelled", None)
    assert place.laboratory.marts() == marts


def test_a_run_is_cancelled_while_it_waits_to_publish(place: Place, session: Session) -> None:
    marts = place.laboratory.marts()
    place.laboratory.write({"users.csv": SAMPLE["users.csv"] + b"15,Olive,,\n"})
    with listening(place.parameters) as reader:
        reader.cursor().execute("begin; select from marts.user_top_compounds")
        run = queue.request(session, "http")
        until(lambda: "Publishing waits for" in log_of(session, run), session=session)
        queue.cancel(session, run.run_id)
        done = ended(session, run.run_id)
    place.laboratory.write(SAMPLE)
    assert (done.state, done.error) == ("cancelled", None)
    assert place.laboratory.marts() == marts
    assert not queue.has_published(session, run_id=run.run_id)


def test_a_run_whose_build_is_published_has_succeeded_whatever_came_after(
    place: Place, session: Session
) -> None:
    with held_up(place.parameters):
        run = queue.request(session, "http")
        until(lambda: waits_for_lock(session, run.run_id), session=session)
        # As if it had come to its end, and its dbt were stopped before it could say so.
        session.cursor().execute(
            "insert into builds.publications (invocation_id, run_id, options, files, tables) "
            "select 'late', %s, options, files, tables from builds.publications "
            "order by build desc limit 1",
            [run.run_id],
        )
        queue.cancel(session, run.run_id)
        done = ended(session, run.run_id)
    assert (done.state, done.error) == ("succeeded", None)
    assert done.inputs is not None


def test_a_changed_project_is_built_and_warm_dbt_renewed(
    place: Place, session: Session, worker: Process
) -> None:
    model = place.checkout / "dbt_project" / "tests" / "assert_changed.sql"
    model.write_text("select 'the project has changed' as message\n", encoding="utf-8")
    try:
        run = carried_out(session)
        assert (run.state, run.error_kind) == ("failed", "build")
        assert "the project has changed" in (run.error or "")
        until(lambda: "loading it anew" in worker.said())
    finally:
        model.unlink()
    assert carried_out(session).state == "succeeded"


def test_a_project_that_is_changed_meanwhile_is_not_noted_with_what_it_has_built(
    place: Place, session: Session
) -> None:
    macro = place.checkout / "dbt_project" / "macros" / "changed.sql"
    macro.write_text("{# as it is #}", encoding="utf-8")
    try:
        with held_up(place.parameters):
            run = queue.request(session, "http")
            until(lambda: waits_for_lock(session, run.run_id), session=session)
            macro.write_text("{# as it is for a while #}", encoding="utf-8")
        assert ended(session, run.run_id).state == "succeeded"
        macro.write_text("{# as it is #}", encoding="utf-8")
        again = carried_out(session)
        assert "are not run again" not in log_of(session, again)
    finally:
        macro.unlink()
    noted = "select versions ? 'project' as is_noted from builds.publications order by build desc"
    after, before, *_ = place.laboratory.rows(noted)
    assert (before, after) == ({"is_noted": False}, {"is_noted": True})


def test_checks_that_only_warn_are_named_and_keep_nothing_back(
    place: Place, session: Session
) -> None:
    checks = [place.checkout / "dbt_project" / "tests" / f"assert_{name}.sql" for name in "ab"]
    text = "{{ config(severity='warn') }}\nselect 'odd' as message from {{ ref('user_summary') }}\n"
    named = ("1 warning: assert_a.", "2 warnings: assert_a, assert_b.")
    try:
        for check, said in zip(checks, named, strict=True):
            check.write_text(text, encoding="utf-8")
            run = carried_out(session)
            ordered = replace(run, warnings=sorted(run.warnings))  # Checks end in any order.
            assert f" seconds. {said} users.csv: 14 of 14 records kept." in message_of(ordered)
        checks[1].unlink()
        done = place.laboratory.build(PYTHONPATH=str(place.checkout))
        assert (done.returncode, named[0] in done.stdout.splitlines()) == (0, True), done.stdout
        [of_terminal] = queue.page(session, limit=1)
        assert (of_terminal.trigger, of_terminal.warnings) == ("terminal", ["assert_a"])
    finally:
        for check in checks:
            check.unlink(missing_ok=True)
    clean = carried_out(session)
    assert (clean.warnings, "warning" in message_of(clean)) == ([], False)


def test_unit_tests_are_run_until_they_have_passed_with_a_project_and_options(
    place: Place, session: Session
) -> None:
    model = Path("dbt_project", "models", "intermediate", "int_experiments_validated.yml")
    without, whole = (place.checkout / model).read_bytes(), (CHECKOUT / model).read_bytes()
    wrong = whole.replace(b"problem: duplicate key", b"problem: none at all")

    def tested(**asked: Any) -> tuple[str, bool, bool]:
        run = carried_out(session, **asked)
        events = queue.events_after(session, run.run_id, limit=10_000)
        kinds = {event.data.get("resource_type") for event in events}
        return run.state, "unit_test" in kinds, "unit tests passed" in log_of(session, run)

    try:
        for text, state in ((wrong, "failed"), (whole, "succeeded")):
            (place.checkout / model).write_bytes(text)
            assert tested() == (state, True, False)
        assert tested() == ("succeeded", False, True)
        published, settings = history.published(session), settings_for(place.folder / "home")
        assert published  # A whole build, then.
        assert published.options == provenance.options_of(settings, {})
        assert tested(options={"max_dropped_ratio": 0.9}) == ("succeeded", True, False)
    finally:
        (place.checkout / model).write_bytes(without)


def test_a_full_disk_is_told_in_whatever_language(place: Place, session: Session) -> None:
    with session.cursor() as cursor:
        cursor.execute(
            "create or replace function public.full_disk() returns text language plpgsql as $$ "
            "begin raise exception using errcode = '53100', message = 'Kein Platz mehr'; end $$"
        )
    model = place.checkout / "dbt_project" / "tests" / "assert_disk.sql"
    model.write_text("select public.full_disk() as message\n", encoding="utf-8")
    try:
        run = carried_out(session)
    finally:
        model.unlink()
    assert (run.state, run.error_kind) == ("failed", "database")
    assert "The disk that holds the database is full." in (run.error or "")
    assert "assert_disk: Kein Platz mehr" in (run.error or "")
    assert "SQLSTATE" not in (run.error or "")
    [newest] = queue.page(session, limit=1)
    assert newest.run_id == run.run_id  # It is not tried again.


def end_sessions(session: Session, run: Run, others: str = "none of them") -> None:
    session.cursor().execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() "
        "and (application_name like %s or application_name = %s)",
        [f"elute run {run.run_id}%", others],
    )


def test_a_run_whose_sessions_are_ended_is_tried_again(place: Place, session: Session) -> None:
    with held_up(place.parameters):
        run = queue.request(session, "http")
        until(lambda: waits_for_lock(session, run.run_id), session=session)
        end_sessions(session, run)
        done = ended(session, run.run_id)
    assert (done.state, done.error_kind) == ("crashed", "database")
    assert ENDED.detail in (done.error or "") or LOST.detail in (done.error or "")
    again = queue.latest_try(session, run.run_id)
    assert again
    assert again.retry_of == run.run_id
    assert ended(session, again.run_id).state == "succeeded"


def publications(place: Place) -> list[dict[str, Any]]:
    return place.laboratory.rows("select * from builds.publications order by build desc")


def test_a_build_is_made_again_from_its_files_and_options(place: Place, session: Session) -> None:
    users = "user_id;name;email;signup_date\r\n1;J\xfcrgen;;05/11/2023\r\n1;again;;\r\n2;Zoe;;x\r\n"
    place.laboratory.write({"users.csv": users.encode("cp1252")})
    how = {"ELUTE_CSV_ENCODING": "cp1252", "ELUTE_DATE_FORMAT": "DD/MM/YYYY"}
    ratios = {"ELUTE_MAX_DROPPED_RATIO": "0.9", "ELUTE_MAX_NULLED_RATIO": "0.9"}
    done = place.laboratory.elute("build", **how, **ratios)
    place.laboratory.write(SAMPLE)
    assert done.returncode == 0, done.stderr
    marts, first = place.laboratory.marts(), publications(place)[0]
    assert "Jürgen" in marts["user_summary"][0]
    assert carried_out(session).state == "succeeded"
    assert place.laboratory.marts() != marts
    again = carried_out(session, options={"returns_to": first["build"]})
    assert again.state == "succeeded", again.error
    assert place.laboratory.marts() == marts
    newest = publications(place)[0]
    assert newest["returns_to"] == first["build"]
    assert (newest["files"], newest["options"]) == (first["files"], first["options"])
    # The next one is made from the files as they are.
    assert carried_out(session).state == "succeeded"
    assert publications(place)[0]["returns_to"] is None
    before = place.laboratory.marts()
    laid_out = place.folder / "home" / "worker" / "rebuilt-from"
    shutil.rmtree(laid_out)
    laid_out.write_text("in the way")
    lost = carried_out(session, options={"returns_to": first["build"]})
    assert (lost.state, lost.error_kind) == ("failed", "input")
    assert f"with {laid_out}, File exists" in (lost.error or "")
    laid_out.unlink()
    kept = place.folder / "home" / "kept-files" / first["files"]["users.csv"]
    kept.write_bytes(b"damaged")
    for _ in range(2):  # The second time it is gone.
        lost = carried_out(session, options={"returns_to": first["build"]})
        assert (lost.state, lost.error_kind) == ("failed", "input")
        assert f"Build {first['build']} cannot be made again" in (lost.error or "")
        assert "users.csv" in (lost.error or "")
    assert place.laboratory.marts() == before


def test_docs_follow_the_project_of_whatever_publishes(place: Place, session: Session) -> None:
    docs = place.folder / "home" / "docs"

    def newest_project() -> str:
        [newest] = execute(session, "newest_project")
        return str(newest["project"])

    def are_of_the_newest() -> bool:
        note = docs / "of.json"
        return note.exists() and json.loads(note.read_text())["project"] == newest_project()

    place.laboratory.write({"users.csv": SAMPLE["users.csv"] + b"15,Olive,,\n"})
    carried_out(session)
    until(are_of_the_newest)
    assert "int_experiments_validated" in (docs / "index.html").read_text(encoding="utf-8")
    first = newest_project()
    place.laboratory.write(SAMPLE)
    carried_out(session)
    assert newest_project() == first  # Other files need no other docs.
    assert place.laboratory.dbt("build", "--select", "experiment_stats").returncode == 0
    assert newest_project() != first
    until(are_of_the_newest)


def test_a_build_in_a_terminal_is_noted(place: Place, session: Session) -> None:
    assert place.laboratory.elute("build", "--select", "users").returncode == 0
    [run] = queue.page(session, limit=1)
    assert (run.trigger, run.state) == ("terminal", "succeeded")
    assert run.options == {"arguments": ["--select", "users"]}
    assert run.node_count is not None
    # It has published nothing, so that no records were kept by it.
    assert (run.inputs, message_of(run)) == (None, f"Built in {run.seconds:.1f} seconds.")
    log = log_of(session, run)
    assert "OK loaded seed file raw.users" in log
    assert "\x1b" not in log


def is_leader(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


def test_warm_dbt_that_hangs_is_given_up(place: Place, session: Session, worker: Process) -> None:
    def warm_dbt() -> list[int] | None:
        """The only one, once that of the test before has ended; others are forks of it."""
        ours = processes_of(place.folder / "home")
        servers = [pid for pid in ours if "dbt_warm.server" in command_line(pid)]
        found = [pid for pid in servers if is_leader(pid)]
        return found if len(found) == 1 else None

    [warm] = until(warm_dbt)
    os.kill(warm, signal.SIGSTOP)
    run = queue.request(session, "http", "test")
    queue.cancel(session, until(lambda: queue.page(session, state="running"))[0].run_id)
    assert ended(session, run.run_id).state == "cancelled"
    until(lambda: "loading it anew" in worker.said())
    assert carried_out(session).state == "succeeded"


def test_of_two_workers_none_is_blamed_for_a_restarted_server(
    place: Place, session: Session, worker: Process
) -> None:
    other = place.worker()
    try:
        until(lambda: "standing by" in other.said())
        with held_up(place.parameters):
            run = queue.request(session, "http")
            until(lambda: waits_for_lock(session, run.run_id), session=session)
            end_sessions(session, run, others="elute worker")
            done = ended(session, run.run_id)
        assert (done.state, done.error_kind) == ("crashed", "database")
        assert "worker" not in (done.error or "")
        again = queue.latest_try(session, run.run_id)
        assert again
        assert ended(session, again.run_id).state == "succeeded"
    finally:
        assert other.stop() == 0


def test_another_worker_stands_by_and_takes_over(
    place: Place, session: Session, worker: Process
) -> None:
    place.active = place.worker()
    until(lambda: "standing by" in place.active.said())
    with held_up(place.parameters):
        run = queue.request(session, "http")
        until(lambda: waits_for_lock(session, run.run_id), session=session)
        worker.stop(signal.SIGKILL)
        assert ended(session, run.run_id).state == "crashed"
    [again] = [other for other in queue.page(session) if other.retry_of == run.run_id]
    assert ended(session, again.run_id).state == "succeeded"


def test_a_worker_told_to_stop_leaves_its_run_to_the_next(place: Place, worker: Process) -> None:
    with listening(place.parameters) as session, held_up(place.parameters):
        run = queue.request(session, "http")
        until(lambda: waits_for_lock(session, run.run_id), session=session)
        assert worker.stop() == 0
        assert ended(session, run.run_id).state == "stopped"
    watching = place.worker(ELUTE_WATCH="1")
    try:
        with listening(place.parameters) as session:
            [again] = [other for other in queue.page(session) if other.retry_of == run.run_id]
            assert ended(session, again.run_id).state == "succeeded"
            place.laboratory.write({"users.csv": SAMPLE["users.csv"] + b"15,Olive,,\n"})
            newest = until(lambda: next(iter(queue.page(session)), again).run_id > again.run_id)
            assert newest
            [changed] = queue.page(session, limit=1)
            assert changed.trigger == "file change"
            assert ended(session, changed.run_id).state == "succeeded"
    finally:
        watching.stop()
        place.laboratory.write(SAMPLE)


def test_a_tick_that_nobody_was_there_for_is_made_up_for_once(place: Place, nobody: None) -> None:
    with listening(place.parameters) as session:
        session.cursor().execute(
            "update elute.runs set requested_at = requested_at - interval '2 years',"
            " started_at = started_at - interval '2 years',"
            " trigger = 'schedule'"
        )
        [last] = queue.page(session, limit=1)
        workers = [place.worker(ELUTE_SCHEDULE="0 0 1 1 *") for _ in range(2)]
        try:
            made_up = until(lambda: queue.get(session, last.run_id + 1), session=session)
            assert made_up.trigger == "schedule"
            assert ended(session, made_up.run_id).state == "succeeded"
            [standing_by] = until(lambda: [w for w in workers if "standing by" in w.said()])
            [active] = [worker for worker in workers if worker is not standing_by]
            assert active.stop(signal.SIGKILL) == -signal.SIGKILL
            # The other one, which is told of the same schedule, finds it seen to.
            assert carried_out(session).run_id == made_up.run_id + 1
        finally:
            for worker in workers:
                worker.stop()


def test_without_warm_dbt_it_builds_cold_and_says_so(
    place: Place, nobody: None, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(BREAKS_WARM_DBT, encoding="utf-8")
    cold = place.worker(PYTHONPATH=str(tmp_path))
    try:
        with listening(place.parameters) as session:
            run = carried_out(session)
            assert (run.state, run.is_warm) == ("succeeded", False)
            assert "dbt cannot be kept loaded (ImportError" in log_of(session, run)
    finally:
        cold.stop()
