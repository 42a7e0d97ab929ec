"""`elute build`: one `dbt build`, and then what a person wants to know of it."""

import contextlib
import json
import logging
import os
import signal
import sys
import textwrap

import psycopg2
from dbt_warm import Outcome, invoke, usage_error
from immutable_builds import STAYS
from seed_csv import printable

from elute import provenance, workbooks
from elute.commands.tables import table
from elute.database import schema
from elute.database.sessions import connect, query
from elute.environment import adopt
from elute.errors import EluteError, ServerError
from elute.failures import explain
from elute.runs import queue
from elute.runs.recorder import Recorder
from elute.runs.run import warned
from elute.settings import CHECKOUT, Settings
from elute.workbooks import WorkbookError

_FIRST_USERS = "select * from marts.user_summary order by user_id limit 10"
_LEFT_OUT = """
    select source_file, problem, action, count(*), min(record_number) as first_record
    from marts.data_issues
    group by source_file, problem, action
    order by source_file desc, count(*) desc, problem
"""
_READ = """
    select source_file, records_read, records_kept, records_dropped, values_nulled, entries_ignored
    from marts.input_summary
    order by source_file desc
"""


def run(settings: Settings, arguments: list[str]) -> int:
    """Build, and print the first rows, what was left out, and where to look next.

    Args:
        settings: where the files are, and the server.
        arguments: options for `dbt build`.

    Returns:
        0 if everything was built and published, 1 if not, 2 if dbt does not take the options; 130
        after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.

    Raises:
        ServerError: there is no server to build on, or a newer Elute has used the database.
        WorkbookError: a workbook cannot take the place of a file.
    """
    adopt(settings)
    logging.raiseExceptions = False  # Who reads no further has no use for a traceback of each line.
    _look_at_server()
    os.environ["ELUTE_VERSIONS"] = json.dumps(provenance.versions())
    received = _stop_as_by_ctrl_c()
    outcome, warnings = Outcome("interrupted"), list[str]()
    with contextlib.suppress(KeyboardInterrupt):  # before dbt itself
        if problem := usage_error("build", arguments):
            print(f"elute build: {problem} 'elute build --help' lists all.", file=sys.stderr)
            return 2
        outcome, warnings = _recorded(settings, arguments)
    has_published = _has_published(outcome.invocation_id)
    if outcome.succeeded:
        if warnings:
            print("\n" + _wrapped(warned(warnings)))
        if has_published:
            _print_results()
        else:
            print("\nNothing was published: no mart was built with all its rows.")
        return 0
    is_stopped = outcome.status == "interrupted"
    if has_published:
        said = "It was stopped, but not before the build was published: readers see this one."
    else:
        said = f"Stopped. {STAYS}" if is_stopped else explain(outcome)
    print("\n" + _wrapped(said), file=sys.stderr)
    return 128 + next(iter(received), signal.SIGINT) if is_stopped else 1


def _look_at_server() -> None:
    """Fail before dbt starts where it must not, or could not."""
    with contextlib.closing(connect()) as session:
        if said := schema.newer(session):
            raise ServerError(said)


def _recorded(settings: Settings, arguments: list[str]) -> tuple[Outcome, list[str]]:
    """Build, and note it among the runs, or say why not; also the names of what warned."""
    recorder = Recorder(settings, arguments)
    end: Outcome | WorkbookError = Outcome("interrupted")
    try:
        for said in workbooks.take_in(settings):
            print(printable(said), flush=True)
        recorder.start()
        end = invoke(
            ["build", *arguments],
            on_event=recorder.add,
            secrets=[os.environ.get("PGPASSWORD", "")],
        )
    except WorkbookError as error:
        end = error
        raise
    finally:
        if problem := recorder.end(end):
            print("\n" + _wrapped(problem), file=sys.stderr)
    return end, recorder.warnings


def _has_published(invocation_id: str | None) -> bool:
    """Whether the build of this invocation is published, for only the database knows."""
    try:
        with contextlib.closing(connect()) as session:
            return queue.has_published(session, invocation_id=invocation_id)
    except (EluteError, psycopg2.Error):
        return False  # Nothing is published yet, or there is no database to ask.


def _stop_as_by_ctrl_c() -> list[signal.Signals]:
    """Have dbt cancel its queries when we are told to end; the signal that came, once it has.

    Without that, the server would go on with them, and only one that looks after its clients
    (`client_connection_check_interval`) would ever notice.
    """
    received: list[signal.Signals] = []

    def stop(number: int, _frame: object) -> None:
        # Whoever ends us may send both, or one twice, and would break off the cancelling.
        if not received:
            received.append(signal.Signals(number))
            raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` has SIGHUP ignored
            signal.signal(number, stop)
    return received


def _wrapped(text: str) -> str:
    return textwrap.fill(printable(text), width=100, break_on_hyphens=False, break_long_words=False)


def _print_results() -> None:
    try:
        users, read, left_out = query(_FIRST_USERS), query(_READ), query(_LEFT_OUT)
    except psycopg2.errors.UndefinedTable:
        return  # Only a part was built, on an empty database.
    print("\nmarts.user_summary, the first rows:\n")
    print(table(*users))
    print("What was read:\n")
    print(table(*read))
    if left_out[1]:
        print("What was left out, and where first (marts.data_issues has every record):\n")
        print(table(*left_out, widest=80))
    print(next_steps())


def next_steps() -> str:
    """Where to look next."""
    # Not in a container, where nothing has to be set up.
    elute = "./run_app.sh" if (CHECKOUT / "run_app.sh").exists() else "elute"
    return _NEXT.format(env=f'eval "$({elute} env)"', build=f"{elute} build")


_NEXT = """\
Look further:
  {env:<52}  lets plain psql and dbt find the database
  psql -c 'select * from marts.user_summary'
  dbt docs generate --static && dbt docs serve          the tables and columns, described
  ELUTE_SEEDS_DIR=/your/folder {build:<23}  your own three files
"""
