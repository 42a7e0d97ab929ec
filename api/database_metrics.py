"""What the database knows of runs, files and marts, as metrics."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg2
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from psycopg2 import sql

from api import database, run_responses
from api.marts.published import newest
from elute.database.builds import Build
from elute.database.sessions import Row, Session
from elute.errors import EluteError
from elute.runs.run import STATES

_RUNS = "select state, count(*) from elute.runs group by state"
_LAST = """
select
    coalesce(extract(epoch from finished_at - started_at), 0)::float,
    extract(epoch from finished_at)::float,
    (state = 'succeeded')::int::float
from elute.runs
where finished_at is not null
order by run_id desc
limit 1
"""
_INPUTS = """
select source_file, outcome, records
from {input_summary}
cross join lateral (values ('kept', records_kept), ('dropped', records_dropped))
    as outcomes (outcome, records)
"""
_ISSUES = """
select source_file, problem, action, count(*)
from {data_issues}
group by source_file, problem, action
"""


class DatabaseMetrics(Collector):
    """Reads them when they are asked for."""

    def __init__(self) -> None:
        self._of_build: tuple[str, list[Metric]] | None = None

    def describe(self) -> list[Metric]:
        """Nothing: what there is depends on the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All of them; only that there is no database, if there is none."""
        try:
            found = database.current().owner.read(lambda session: list(self._read(session)))
        except (EluteError, psycopg2.Error):
            found = []
        yield _gauge("elute_database_up", "Whether the database answers.", (), [(len(found) > 0,)])
        yield from found

    def _read(self, session: Session) -> Iterator[Metric]:
        runs: dict[str, int] = dict.fromkeys(STATES, 0)
        runs.update(_rows(session, _RUNS))
        yield _gauge("elute_runs", "Runs in the history.", ("state",), list(runs.items()))
        yield _gauge(
            "elute_worker_up",
            "Whether a worker takes up runs.",
            (),
            [(run_responses.has_worker(session),)],
        )
        yield from _last_run(session)
        build = newest(session)
        if build is not None:
            yield from self._measured(session, build)

    def _measured(self, session: Session, build: Build) -> list[Metric]:
        """What is in a build: counted once, for nothing ever changes it."""
        if self._of_build is None or self._of_build[0] != build.invocation_id:
            self._of_build = build.invocation_id, list(_contents(session, build))
        return self._of_build[1]


def _contents(session: Session, build: Build) -> Iterator[Metric]:
    tables = {
        name: sql.Identifier(mart.table.schema, mart.table.name)
        for name, mart in build.marts.items()
    }
    published = [(name, build.published_at.timestamp()) for name in tables]
    help_text = "When the mart was published, in seconds since 1970."
    yield _gauge("elute_mart_published_timestamp_seconds", help_text, ("mart",), published)
    rows = [
        (name, *_rows(session, sql.SQL("select count(*) from {}").format(table))[0])
        for name, table in tables.items()
    ]
    yield _gauge("elute_mart_rows", "Rows of the mart.", ("mart",), rows)
    if "input_summary" in tables:
        yield _gauge(
            "elute_input_records",
            "What became of the records of the published build.",
            ("file", "outcome"),
            _rows(session, sql.SQL(_INPUTS).format(**tables)),
        )
    if "data_issues" in tables:
        yield _gauge(
            "elute_data_issues",
            "Records dropped, values set to null and entries ignored in the published build.",
            ("file", "problem", "action"),
            _rows(session, sql.SQL(_ISSUES).format(**tables)),
        )


def _last_run(session: Session) -> Iterator[Metric]:
    names = (
        ("elute_last_run_seconds", "How long the last run took that has ended."),
        ("elute_last_run_finished_timestamp_seconds", "When it ended, in seconds since 1970."),
        ("elute_last_run_succeeded", "Whether it succeeded."),
    )
    for row in _rows(session, _LAST):
        for (name, help_text), value in zip(names, row, strict=True):
            yield _gauge(name, help_text, (), [(value,)])


def _rows(session: Session, statement: str | sql.Composable) -> list[Row]:
    with session.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def _gauge(
    name: str, help_text: str, labels: Sequence[str], rows: Sequence[Sequence[Any]]
) -> GaugeMetricFamily:
    """A gauge from rows of its labels' values and, last, its value."""
    gauge = GaugeMetricFamily(name, help_text, labels=labels)
    for *values, value in rows:
        gauge.add_metric(values, float(value))
    return gauge
