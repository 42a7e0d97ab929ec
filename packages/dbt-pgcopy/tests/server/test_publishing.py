"""Builds that readers see whole: what is published, and what becomes of what was there."""

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from dbt.tests.util import run_dbt, run_dbt_and_capture
from immutable_builds import Build, prepare, publish, table_name

Query = Callable[..., list[tuple[Any, ...]]]
YAML = """
models:
  - name: one
    description: One row per number.
    constraints:
      - type: primary_key
        columns: [n]
    columns:
      - name: n
        description: The number.
        data_type: bigint
        config:
          meta: {unit: m}
      - name: twice
        description: Two of them.
        data_type: bigint
        constraints:
          - type: not_null
          - type: check
            expression: twice >= 0
  - name: two
    columns:
      - name: m
        description: The largest number.
        data_type: bigint
        data_tests:
          - accepted_values:
              arguments:
                values: [1, 2, 3]
                quote: false

unit_tests:
  - name: the_largest
    model: two
    given:
      - input: ref('one')
        rows: [{n: 1}, {n: 2}]
    expect:
      rows: [{m: 2}]
"""
ONE = "select n, 2 * n as twice from {{ target.schema }}.numbers"
TWO = "select max(n) as m from {{ ref('one') }}"
SHOWN = """
select view_schema, view_name, table_name from information_schema.view_table_usage
where view_schema = current_schema() order by view_name
"""


@pytest.mark.usefixtures("project")
class Published:
    wait_seconds = 60

    @pytest.fixture(scope="class")
    def dbt_profile_target(self, dbt_profile_target: dict[str, Any]) -> dict[str, Any]:
        return dbt_profile_target | {"run_lock": f"dbt-pgcopy publishing {os.getpid()}"}

    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        return {"one.sql": ONE, "two.sql": TWO, "marts.yml": YAML}

    @pytest.fixture(scope="class")
    def project_config_update(self) -> dict[str, Any]:
        return {
            "models": {
                "+materialized": "published",
                "+contract": {"enforced": True},
                "+persist_docs": {"relation": True, "columns": True},
            },
            "seeds": {"+column_types": {"letter": "text"}},
            "flags": {
                "send_anonymous_usage_stats": False,
                "warn_error_options": {"silence": ["UnsupportedConstraintMaterialization"]},
            },
            "on-run-end": "{{ publish_build(results, options={'a': 1}, versions={'b': '2'}, "
            f"run_id=7, keep=3, wait_seconds={self.wait_seconds}) }}}}",
        }

    @pytest.fixture(autouse=True)
    def _numbers(self, query: Query, project: Any) -> Iterator[None]:
        """The table that the first mart is made from, and no builds."""
        query("create table numbers (n bigint); insert into numbers values (1)")
        yield
        schema = project.test_schema
        query(f"drop schema if exists {schema}_builds cascade")
        query(f"drop schema {schema} cascade; create schema {schema}")


def tables(query: Query) -> list[str]:
    """The tables of builds."""
    found = query(
        "select tablename from pg_tables where schemaname = current_schema() || '_builds' "
        "and tablename not in ('publications', 'loaded_files') order by tablename"
    )
    return [name for (name,) in found]


def publications(query: Query, columns: str = "build") -> list[Any]:
    [(schema,)] = query("select current_schema()")
    return query(f"select {columns} from {schema}_builds.publications order by build")


def set_number(query: Query, number: int) -> None:
    query("update numbers set n = %s", number)


class TestPublishing(Published):
    @pytest.fixture(scope="class")
    def seeds(self) -> dict[str, str]:
        return {"letters.csv": "\n letter \na\n"}

    def test_a_build_is_registered_with_all_that_it_is(self, query: Query, project: Any) -> None:
        run_dbt(["build"])
        [(build, run_id, options, files, marts, versions)] = publications(
            query, "build, run_id, options, files, tables, versions"
        )
        assert (build, run_id, options) == (1, 7, {"a": 1})
        seed = Path(project.project_root, "seeds", "letters.csv")
        assert files == {seed.name: hashlib.sha256(seed.read_bytes()).hexdigest()}
        compiled = marts["one"].pop("sql")
        assert compiled == {"one": f"select n, 2 * n as twice from {project.test_schema}.numbers"}
        [(server,)] = query("show server_version")
        assert versions == {"b": "2", "dbt": version("dbt-core"), "postgres": server}
        assert marts["one"] == {
            "schema": f"{project.test_schema}_builds",
            "table": tables(query)[0],
            "view_schema": project.test_schema,
            "description": "One row per number.",
            "meta": {},
            "column_meta": {"n": {"unit": "m"}},
        }
        assert query("select * from one") == [(1, 2)]
        assert query("select * from two") == [(1,)]

    def test_builds_of_an_older_version_stay_and_get_what_they_lack(self, query: Query) -> None:
        run_dbt(["build"])
        [(schema,)] = query("select current_schema()")
        query(
            f"alter table {schema}_builds.publications drop column versions, "
            "drop column returns_to, drop column requested_by, drop column reason; "
            f"drop table {schema}_builds.loaded_files"
        )
        run_dbt(["build"])
        [(old,), (new,)] = publications(query, "versions")
        assert old == {}
        assert new["b"] == "2"

    def test_contracts_and_comments_hold(self, query: Query, project: Any) -> None:
        run_dbt(["build"])
        table = f"{project.test_schema}_builds.{tables(query)[0]}"
        constraints = query(
            "select contype::text from pg_constraint where conrelid = %s::regclass "
            "and contype <> 'n' order by contype",
            table,
        )
        assert constraints == [("c",), ("p",)]
        nullable = query(
            "select attname from pg_attribute where attrelid = %s::regclass "
            "and attnum > 0 and not attnotnull",
            table,
        )
        assert nullable == []
        said = "select obj_description(%s::regclass), col_description(%s::regclass, 2)"
        for relation in (table, "one"):
            assert query(said, relation, relation) == [("One row per number.", "Two of them.")]

    def test_a_failed_build_changes_nothing_and_leaves_nothing(self, query: Query) -> None:
        run_dbt(["build"])
        shown, old = query(SHOWN), tables(query)
        set_number(query, 4)
        run_dbt(["build"], expect_pass=False)
        assert query(SHOWN) == shown
        assert query("select * from two") == [(1,)]
        assert tables(query) == old
        # Tests alone look at what is published.
        run_dbt(["test"])
        set_number(query, 3)
        run_dbt(["build"])
        assert query("select * from two") == [(3,)]
        assert publications(query) == [(1,), (2,)]
        assert set(old) < set(tables(query))
        assert len(tables(query)) == 4

    def test_seeds_come_after_what_a_killed_build_has_left(self, query: Query) -> None:
        run_dbt(["build"])
        kept = tables(query)
        [(schema,)] = query("select current_schema()")
        query(f"create table {schema}_builds.one__{'0' * 32} (n int)")
        run_dbt(["seed"])
        assert tables(query) == kept

    def test_an_error_of_the_database_names_its_sqlstate(self, query: Query) -> None:
        query(
            "create function n() returns bigint language plpgsql as $$ begin raise exception "
            "using errcode = '53100', message = 'Auf dem Gerät ist kein Platz mehr'; end $$"
        )
        query("alter table numbers rename to rows_of_numbers")
        query("create view numbers as select n() as n")
        failed = run_dbt(["build"], expect_pass=False)
        said = [result.message for result in failed if result.status == "error"]
        assert "Auf dem Gerät ist kein Platz mehr\n" in said[0]
        assert "\n  SQLSTATE 53100\n" in said[0]

    def test_a_row_that_breaks_the_contract_fails_the_build(self, query: Query) -> None:
        run_dbt(["build"])
        query("insert into numbers values (1)")
        run_dbt(["build"], expect_pass=False)
        assert query("select count(*) from one") == [(1,)]

    def test_a_part_is_published_with_the_rest_of_the_build_before(self, query: Query) -> None:
        run_dbt(["build"])
        set_number(query, 2)
        kinds = [f"--exclude-resource-type={kind}" for kind in ("unit_test", "test")]
        run_dbt(["build", "--select", "one", *kinds])
        assert query("select n from one") == [(2,)]
        assert query("select m from two") == [(1,)]
        (first, _), (second, options) = publications(query, "tables, options")
        assert second["two"] == first["two"]
        assert second["one"]["table"] != first["one"]["table"]
        # Unit tests build nothing: without them a build is no smaller.
        assert (options["select"], options["exclude_resource_types"]) == (["one"], ["test"])
        run_dbt(["build", "--select", "two"])
        assert query("select m from two") == [(2,)]

    def test_a_part_of_a_build_that_is_no_longer_the_newest_is_not_published(
        self, query: Query, project: Any
    ) -> None:
        run_dbt(["build"])
        [(invocation,)] = publications(query, "invocation_id")
        returns = (
            f"insert into {project.test_schema}_builds.publications "
            "(invocation_id, options, files, tables) "
            f"select 'a return', options, files, tables from {project.test_schema}_builds."
            f"publications where invocation_id = '{invocation}'"
        )
        one = Path(project.project_root, "models", "one.sql")
        try:
            one.write_text(f'{{{{ config(post_hook="{returns}") }}}} {ONE}')
            _, output = run_dbt_and_capture(["build", "--select", "one"], expect_pass=False)
        finally:
            one.write_text(ONE)
        assert "was published while this part was built" in " ".join(output.split())
        assert [number for (number,) in publications(query)] == [1, 2]

    @pytest.mark.parametrize("command", [["build", "--empty"], ["run", "--empty"]])
    def test_empty_tables_are_not_for_readers(self, query: Query, command: list[str]) -> None:
        run_dbt(["build"])
        run_dbt(command, expect_pass=None)
        assert publications(query) == [(1,)]
        assert query("select n from one") == [(1,)]

    def test_a_retry_publishes_nothing(self, query: Query) -> None:
        run_dbt(["build"])
        query("insert into numbers values (1)")
        run_dbt(["build"], expect_pass=False)
        query("delete from numbers; insert into numbers values (2)")
        _, output = run_dbt_and_capture(["retry"], expect_pass=None)
        assert "Nothing is published: dbt retry builds only a part anew." in output
        assert query("select n from one") == [(1,)]

    def test_the_newest_builds_keep_their_tables_and_a_reader_is_waited_for_by_nobody(
        self, query: Query
    ) -> None:
        run_dbt(["build"])
        first = tables(query)
        with closing(psycopg2.connect("")) as reader, reader.cursor() as cursor:
            [(schema,)] = query("select current_schema()")
            cursor.execute(f'select * from {schema}_builds."{first[0]}"')
            for _ in range(3):
                run_dbt(["build"])
            assert set(tables(query)) & set(first) == {first[0]}
            assert cursor.fetchall() == [(1, 2)]
        run_dbt(["build"])
        assert not set(tables(query)) & set(first)
        assert len(tables(query)) == 2 * 3
        assert len(publications(query)) == 5

    def test_readers_of_two_marts_never_see_two_builds(self, query: Query) -> None:
        run_dbt(["build"])
        [(schema,)] = query("select current_schema()")
        is_over = threading.Event()
        seen: set[tuple[Any, Any]] = set()

        def read(level: str, first: str, second: str) -> None:
            with closing(psycopg2.connect("")) as session, session.cursor() as cursor:
                # With a moment between, or some view would be held at every time.
                while not is_over.wait(0.02):
                    cursor.execute(f"set transaction isolation level {level}")
                    found = []
                    for mart in (first, second, first):
                        column = "m" if mart == "two" else "n"
                        cursor.execute(f"select {column} from {schema}.{mart}")
                        found.append(cursor.fetchone())
                    session.commit()
                    seen.add((found[0], found[1]))
                    seen.add((found[1], found[2]))

        arguments = [
            (level, *marts)
            for level in ("repeatable read", "read committed")
            for marts in (("one", "two"), ("two", "one"))
        ]
        threads = [threading.Thread(target=read, args=values) for values in arguments]
        for thread in threads:
            thread.start()
        try:
            for number in range(20):
                set_number(query, 1 + number % 3)
                run_dbt(["build"])
        finally:
            is_over.set()
            for thread in threads:
                thread.join()
        assert len(seen) > 1
        assert all(first == second for first, second in seen), seen
        assert len(publications(query)) == 21


class TestWhatOthersHaveMade(Published):
    @pytest.fixture
    def role(self) -> str:
        return os.environ["DBT_TEST_USER_1"]

    def test_views_and_grants_stay(self, query: Query, role: str) -> None:
        run_dbt(["build"])
        query("create view of_others as select n from one; create view theirs as table of_others")
        query(f"grant select on one to {role}; grant select (m) on two to {role}")
        set_number(query, 2)
        run_dbt(["build"])
        assert query("select n from theirs") == [(2,)]
        query(f"grant usage on schema {query('select current_schema()')[0][0]} to {role}")
        query(f"set role {role}")
        assert query("select n from one") == [(2,)]
        assert query("select m from two") == [(2,)]
        query("reset role")

    def test_what_depends_on_changed_columns_is_named(
        self, query: Query, role: str, project: Any
    ) -> None:
        run_dbt(["build"])
        shown = query(SHOWN)
        query(f"grant select on one to {role} with grant option; grant select (n) on one to public")
        query("create view of_others as select twice from one")
        models = Path(project.project_root, "models")
        try:
            (models / "one.sql").write_text("select n from {{ target.schema }}.numbers")
            start, end = YAML.index("      - name: twice"), YAML.index("  - name: two")
            (models / "marts.yml").write_text(YAML[:start] + YAML[end:])
            results, output = run_dbt_and_capture(["build"], expect_pass=False)
            said = " ".join(output.split())
            assert "one has to be made anew, for its columns have changed" in said
            assert f"view {project.test_schema}.of_others depends on view" in said
            assert "What was published before stays." in said
            assert [r.status for r in results if r.status == "error"] == ["error"]
            assert query(SHOWN)[-2:] == shown[-2:]
            assert publications(query) == [(1,)]
            query("drop view of_others")
            run_dbt(["build"])
        finally:
            (models / "one.sql").write_text(ONE)
            (models / "marts.yml").write_text(YAML)
        assert query("select * from one") == [(1,)]
        privileges = query(
            "select has_table_privilege(%s, 'one', 'select with grant option'),"
            " has_column_privilege(%s, 'one', 'n', 'select')",
            role,
            os.environ["DBT_TEST_USER_2"],
        )
        assert privileges == [(True, True)]

    def test_a_column_more_is_nothing_to_others(self, query: Query, project: Any) -> None:
        run_dbt(["build"])
        query("create view of_others as select twice from one")
        models = Path(project.project_root, "models")
        end = YAML.index("  - name: two")
        more = "      - name: thrice\n        data_type: bigint\n"
        try:
            (models / "one.sql").write_text(ONE.replace(" from", ", 3 * n as thrice from"))
            (models / "marts.yml").write_text(YAML[:end] + more + YAML[end:])
            run_dbt(["build"])
        finally:
            (models / "one.sql").write_text(ONE)
            (models / "marts.yml").write_text(YAML)
        assert query("select * from one") == [(1, 2, 3)]
        assert query("select * from of_others") == [(2,)]

    def test_a_table_from_before_gives_way_with_all_that_hangs_on_it(
        self, query: Query, role: str
    ) -> None:
        query("create table one as select 9::bigint as n, 18::bigint as twice")
        query(
            "create view of_others with (security_barrier) as select n from one;"
            "create view theirs as table of_others"
        )
        query(f"grant select, insert on one to {role}; grant select on of_others to {role}")
        run_dbt(["build"])
        assert query("select n from theirs") == [(1,)]
        kinds = query(
            "select relname, relkind::text, reloptions from pg_class "
            "where relnamespace = current_schema()::regnamespace and relkind in ('r', 'v') "
            "order by relname"
        )
        assert kinds == [
            ("numbers", "r", None),
            ("of_others", "v", ["security_barrier=true"]),
            ("one", "v", None),
            ("theirs", "v", None),
            ("two", "v", None),
        ]
        allowed = query(
            "select has_table_privilege(%(r)s, 'one', 'select'),"
            " has_table_privilege(%(r)s, 'of_others', 'select')".replace("%(r)s", f"'{role}'")
        )
        assert allowed == [(True, True)]

    def test_a_table_from_before_that_cannot_give_way_stays(self, query: Query) -> None:
        query("create table one as select 9::bigint as n, 18::bigint as twice")
        query("create materialized view of_others as select n from one")
        _, output = run_dbt_and_capture(["build"], expect_pass=False)
        assert "of_others depends on table" in " ".join(output.split())
        assert query("select n from one") == [(9,)]
        assert query("select to_regclass('two')") == [(None,)]
        query("drop materialized view of_others")
        run_dbt(["build"])
        assert query("select n from one") == [(1,)]

    def test_a_mart_that_is_gone_takes_its_view_along(self, query: Query, project: Any) -> None:
        run_dbt(["build"])
        two = Path(project.project_root, "models", "two.sql")
        yaml = Path(project.project_root, "models", "marts.yml")
        try:
            two.unlink()
            yaml.write_text(YAML[: YAML.index("  - name: two")])
            query("create view of_others as table two")
            _, output = run_dbt_and_capture(["build"], expect_pass=False)
            assert "it is no longer in the project" in " ".join(output.split())
            query("drop view of_others")
            _, output = run_dbt_and_capture(["build"])
        finally:
            two.write_text(TWO)
            yaml.write_text(YAML)
        assert f"{project.test_schema}.two is dropped: it is no longer in the project." in output
        assert query("select to_regclass('two')") == [(None,)]
        assert list(publications(query, "tables")[-1][0]) == ["one"]

    def test_a_mart_that_moves_to_another_schema_leaves_no_view_behind(
        self, query: Query, project: Any
    ) -> None:
        run_dbt(["build"])
        two = Path(project.project_root, "models", "two.sql")
        try:
            two.write_text(f"{{{{ config(schema='elsewhere') }}}} {TWO}")
            run_dbt(["build"])
        finally:
            two.write_text(TWO)
        schema = f"{project.test_schema}_elsewhere"
        assert query("select to_regclass('two')") == [(None,)]
        assert query(f"select count(*) from {schema}.two") == query("select count(*) from one")
        run_dbt(["build"])
        assert query(f"select to_regclass('{schema}.two')") == [(None,)]
        assert query("select to_regclass('two') is not null") == [(True,)]
        query(f"drop schema {schema}")

    @pytest.mark.parametrize("kind", ["table", "view"])
    def test_a_mart_that_is_dbts_own_by_now_is_left_to_it(
        self, query: Query, project: Any, kind: str
    ) -> None:
        run_dbt(["build"])
        two = Path(project.project_root, "models", "two.sql")
        try:
            two.write_text(f"{{{{ config(materialized='{kind}') }}}} {TWO}")
            set_number(query, 2)
            run_dbt(["build"])
        finally:
            two.write_text(TWO)
        assert query("select m from two") == [(2,)]
        assert [view for _, view, _ in query(SHOWN)] == ["one", "two"][: 1 + (kind == "view")]
        assert list(publications(query, "tables")[-1][0]) == ["one"]
        # And back.
        run_dbt(["build"])
        assert list(publications(query, "tables")[-1][0]) == ["one", "two"]


class TestWaiting(Published):
    wait_seconds = 1

    def test_who_holds_a_mart_is_named_and_nothing_changes(self, query: Query) -> None:
        run_dbt(["build"])
        shown = query(SHOWN)
        [(schema,)] = query("select current_schema()")
        with closing(psycopg2.connect("", application_name="a dump")) as reader:
            reader.cursor().execute(f"select from {schema}.two")
            pid = reader.info.backend_pid
            _, output = run_dbt_and_capture(["build"], expect_pass=False)
            said = " ".join(output.split())
            assert f"Publishing waits for a dump (pid {pid}, user " in said
            assert f"on {schema}.two" in said
            assert "held up for 1 s: a dump" in said
            assert "This build stays unpublished. What was published before stays." in said
            assert "keyboard interrupt" not in output
        assert query(SHOWN) == shown
        run_dbt(["build"])


class TestWaitingForReaders:
    @pytest.fixture
    def role(self, unique_schema: str) -> Iterator[str]:
        """Who may not know since when others are in a transaction."""
        role = f"{unique_schema}_publisher"
        with closing(psycopg2.connect("")) as session, session.cursor() as cursor:
            database = session.info.dbname
            cursor.execute(f"create role {role}; grant create on database {database} to {role}")
            session.commit()
            yield role
            cursor.execute(f"drop owned by {role} cascade; drop role {role}")
            session.commit()

    def test_they_make_room_also_for_one_who_may_not_know_since_when_they_read(
        self, unique_schema: str, role: str
    ) -> None:
        schema, is_over = unique_schema, threading.Event()

        def read() -> None:
            with closing(psycopg2.connect("")) as session, session.cursor() as cursor:
                while not is_over.is_set():
                    cursor.execute(f"select from {schema}.one")
                    is_over.wait(0.15)  # Longer than the lock is waited for at a time.
                    session.commit()

        with closing(psycopg2.connect("")) as session, session.cursor() as cursor:

            def build(number: int) -> int:
                cursor.execute(f"create table {schema}.one__{number} as select {number} as n")
                session.commit()
                mart = {"view_schema": schema, "table": f"one__{number}"}
                made = Build(schema, str(number), {"one": mart}, {}, {}, None, {}, None, None)
                return publish(session, made, 60, print)

            cursor.execute(f"set role {role}")
            prepare(cursor, schema)
            assert build(1) == 1
            threads = [threading.Thread(target=read) for _ in range(3)]
            for thread in threads:
                thread.start()
            try:
                assert [build(number) for number in (2, 3, 4)] == [2, 3, 4]
            finally:
                is_over.set()
                for thread in threads:
                    thread.join()


class TestHooks(Published):
    @pytest.fixture(scope="class")
    def models(self) -> dict[str, str]:
        config = (
            "{{ config(contract={'enforced': false}, indexes=[{'columns': ['n']}],"
            ' pre_hook="insert into {{ target.schema }}.numbers values (5)",'
            ' post_hook="insert into {{ this }} select 8, 9") }} '
        )
        return {"one.sql": config + ONE}

    def test_hooks_see_the_table_of_the_build(self, query: Query) -> None:
        run_dbt(["build"])
        assert query("select n from one order by n") == [(1,), (5,), (8,)]
        [table] = tables(query)
        assert query("select count(*) from pg_indexes where tablename = %s", table) == [(1,)]


def test_names_fit_and_differ() -> None:
    invocation = "77de1f2e-1a69-4295-aab5-60c4030cf8a3"
    assert table_name("one", invocation) == "one__77de1f2e1a694295aab560c4030cf8a3"
    names = [table_name("ü" * 40 + end, invocation) for end in "ab"]
    assert len(set(names)) == 2
    for name in names:
        assert len(name.encode()) <= 63
        assert name.endswith("__77de1f2e1a694295aab560c4030cf8a3")
