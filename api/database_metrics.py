"""What the database knows of runs, files and marts, as metrics."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, product
from typing import Any

import psycopg2
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from psycopg2 import sql

from api import connection_pool, database
from api.marts.published import newest
from elute.database import faults
from elute.database.builds import Build
from elute.database.sessions import Row, Session
from elute.errors import EluteError
from elute.runs import queue
from elute.runs.run import ENDED, STATES, TRIGGERS

_RUNS = "select state, count(*) from elute.runs group by state"
_ENDED = """
select state, trigger, count(*)
from elute.runs
where finished_at is not null
group by state, trigger
"""
_BOUNDS = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)  # seconds
_SECONDS = """
select width_bucket(seconds, %s), count(*), sum(seconds)
from (
    select extract(epoch from finished_at - started_at)::float as seconds
    from elute.runs
    where state = 'succeeded' and started_at is not null
) as succeeded
group by 1
"""
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
_LOG = logging.getLogger("elute.web")


class DatabaseMetrics(Collector):
    """Reads them when they are asked for."""

    def __init__(self) -> None:
        self._of_build: tuple[Build, list[Metric]] | None = None

    def collect(self) -> Iterator[Metric]:
        """All of them; without a database that there is none, and the sessions."""
        found, is_up = [], True
        try:
            found = database.current().owner.read(lambda session: list(self._read(session)))
        except EluteError:
            is_up = False
        except psycopg2.Error as error:
            is_up = not faults.of_error(error)
            _LOG.warning("Metrics are left out: %s", " ".join(str(error).split()))
        yield _one("elute_database_up", "Whether the database answers.", is_up)
        yield from found
        yield from _pools()

    def _read(self, session: Session) -> Iterator[Metric]:
        runs = {**dict.fromkeys(STATES, 0), **dict(_rows(session, _RUNS))}
        yield _gauge("elute_runs", "Runs in the history.", ("state",), runs.items())
        is_up = queue.has_worker(session)
        yield _one("elute_worker_up", "Whether a worker takes up runs.", is_up)
        yield from _all_runs(session)
        yield from _last_run(session)
        build = newest(session)
        if build is not None:
            # What is in a build is counted once, for nothing ever changes it.
            if self._of_build is None or self._of_build[0] is not build:
                self._of_build = build, list(_contents(session, build))
            yield from self._of_build[1]


def _pools() -> Iterator[Metric]:
    """The sessions with the database, for the queue, for few rows and for streams."""
    base = database.current()
    pools = {"owner": base.owner, "reader": base.reader, "streams": base.streams}
    for name, help_text, of in (
        ("elute_pool_in_use", "Sessions that are borrowed.", lambda pool: pool.in_use),
        ("elute_pool_waiting", "Requests that wait for one.", lambda pool: pool.waiting),
        ("elute_pool_size", "The most there can be.", lambda _: connection_pool.SIZE),
    ):
        yield _gauge(name, help_text, ("pool",), [(pool, of(it)) for pool, it in pools.items()])


def _contents(session: Session, build: Build) -> Iterator[Metric]:
    tables = {
        name: sql.Identifier(mart.table.schema, mart.table.name)
        for name, mart in build.marts.items()
    }
    published = [(name, build.published_at.timestamp()) for name in tables]
    help_text = "When the mart was published, in seconds since 1970."
    yield _gauge("elute_mart_published_timestamp_seconds", help_text, ("mart",), published)
    count = sql.SQL("select count(*) from {}")
    rows = [
        (name, *row)
        for name, table in tables.items()
        for row in _rows_of_mart(session, count.format(table))
    ]
    yield _gauge("elute_mart_rows", "Rows of the mart.", ("mart",), rows)
    if "input_summary" in tables:
        yield _gauge(
            "elute_input_records",
            "What became of the records of the published build.",
            ("file", "outcome"),
            _rows_of_mart(session, sql.SQL(_INPUTS).format(**tables)),
        )
    if "data_issues" in tables:
        yield _gauge(
            "elute_data_issues",
            "Records dropped, values set to null and entries ignored in the published build.",
            ("file", "problem", "action"),
            _rows_of_mart(session, sql.SQL(_ISSUES).format(**tables)),
        )


def _all_runs(session: Session) -> Iterator[Metric]:
    """What only grows, whatever is started anew: the history keeps every run."""
    ended = CounterMetricFamily("elute_runs_total", "Runs that ended.", labels=("state", "trigger"))
    counts = dict.fromkeys(product(ENDED, TRIGGERS), 0)
    counts.update({(state, trigger): count for state, trigger, count in _rows(session, _ENDED)})
    for labels, count in counts.items():
        ended.add_metric(labels, count)
    yield ended
    buckets, total = [0] * (len(_BOUNDS) + 1), 0.0
    for bucket, count, seconds in _rows(session, _SECONDS, [list(_BOUNDS)]):
        buckets[bucket], total = count, total + seconds
    names = [*map(str, _BOUNDS), "+Inf"]
    histogram = HistogramMetricFamily("elute_run_seconds", "How long runs took that succeeded.")
    histogram.add_metric((), list(zip(names, accumulate(buckets), strict=True)), total)
    yield histogram


def _last_run(session: Session) -> Iterator[Metric]:
    names = (
        ("elute_last_run_seconds", "How long the last run took that has ended."),
        ("elute_last_run_finished_timestamp_seconds", "When it ended, in seconds since 1970."),
        ("elute_last_run_succeeded", "Whether it succeeded."),
    )
    for row in _rows(session, _LAST):
        for (name, help_text), value in zip(names, row, strict=True):
            yield _one(name, help_text, value)


def _rows_of_mart(session: Session, statement: sql.Composable) -> list[Row]:
    """As `_rows`; none if the mart's table is not there any more, or cannot be read."""
    try:
        return _rows(session, statement)
    except psycopg2.Error as error:
        if faults.of_error(error):
            raise
        _LOG.warning("Metrics of a mart are left out: %s", " ".join(str(error).split()))
        return []


def _rows(
    session: Session, statement: str | sql.Composable, values: Sequence[Any] = ()
) -> list[Row]:
    with session.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def _one(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_text, value=float(value))


def _gauge(
    name: str, help_text: str, labels: Sequence[str], rows: Iterable[Sequence[Any]]
) -> GaugeMetricFamily:
    """A gauge from rows of its labels' values and, last, its value."""
    gauge = GaugeMetricFamily(name, help_text, labels=labels)
    for *values, value in rows:
        gauge.add_metric(values, float(value))
    return gauge
