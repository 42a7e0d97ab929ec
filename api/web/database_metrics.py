"""What the database knows of runs, files and marts, as metrics; no large table is counted twice."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg2
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.database import Row, Session
from api.errors import EluteError
from api.runs.run import STATES
from api.web import pool, run_answers

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
_PUBLISHED = """
select jsonb_object_keys(tables), extract(epoch from published_at)::float
from (select * from builds.publications order by build desc limit 1) as published
"""
_INPUTS = """
select source_file, 'kept', records_kept from marts.input_summary
union all
select source_file, 'dropped', records_dropped from marts.input_summary
"""
# As many as the summaries say, which the builds test; the largest tables need not be counted.
_ROWS = """
select 'user_summary', user_count from marts.experiment_stats
union all
select 'compound_usage', compound_count from marts.experiment_stats
union all
select 'experiment_stats', 1
union all
select 'input_summary', count(*) from marts.input_summary
union all
select 'user_top_compounds', reltuples::bigint
from pg_class
where reltuples >= 0 and oid = (
    select to_regclass('builds.' || (tables -> 'user_top_compounds' ->> 'table'))
    from builds.publications
    order by build desc
    limit 1
)
"""
_BUILD = "select coalesce(max(build), 0) from builds.publications"
_ISSUES = """
select source_file, problem, action, count(*)
from marts.data_issues
group by source_file, problem, action
"""


class DatabaseMetrics(Collector):
    """Reads them when they are asked for."""

    def __init__(self) -> None:
        self._issues: tuple[int, list[Row]] | None = None  # and the build that they are of

    def describe(self) -> list[Metric]:
        """Nothing: what there is depends on the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All of them; only that there is no database, if there is none."""
        try:
            found = pool.owner().read(lambda session: list(self._read(session)))
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
            [(run_answers.has_worker(session),)],
        )
        yield from _last_run(session)
        published = _rows(session, _PUBLISHED)
        help_text = "When the mart was published, in seconds since 1970."
        yield _gauge("elute_mart_published_timestamp_seconds", help_text, ("mart",), published)
        try:
            yield from self._marts(session)
        except psycopg2.errors.UndefinedTable:
            return  # Not built yet.

    def _marts(self, session: Session) -> Iterator[Metric]:
        issues = self._issues_of(session)
        rows = [*_rows(session, _ROWS), ("data_issues", sum(row[-1] for row in issues))]
        yield _gauge("elute_mart_rows", "Rows of the mart.", ("mart",), rows)
        yield _gauge(
            "elute_input_records",
            "What became of the records of the published build.",
            ("file", "outcome"),
            _rows(session, _INPUTS),
        )
        yield _gauge(
            "elute_data_issues",
            "Records dropped, values set to null and entries ignored in the published build.",
            ("file", "problem", "action"),
            issues,
        )

    def _issues_of(self, session: Session) -> list[Row]:
        """Counted once for each build."""
        [(version,)] = _rows(session, _BUILD)
        if self._issues is None or self._issues[0] != version:
            self._issues = version, _rows(session, _ISSUES)
        return self._issues[1]


def _last_run(session: Session) -> Iterator[Metric]:
    names = (
        ("elute_last_run_seconds", "How long the last run took that has ended."),
        ("elute_last_run_finished_timestamp_seconds", "When it ended, in seconds since 1970."),
        ("elute_last_run_succeeded", "Whether it succeeded."),
    )
    for row in _rows(session, _LAST):
        for (name, help_text), value in zip(names, row, strict=True):
            yield _gauge(name, help_text, (), [(value,)])


def _rows(session: Session, sql: str) -> list[Row]:
    with session.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def _gauge(
    name: str, help_text: str, labels: Sequence[str], rows: Sequence[Sequence[Any]]
) -> GaugeMetricFamily:
    """A gauge from rows of its labels' values and, last, its value."""
    gauge = GaugeMetricFamily(name, help_text, labels=labels)
    for *values, value in rows:
        gauge.add_metric(values, float(value))
    return gauge
