"""Seeds loaded with COPY: what ends up in the table, and what stays when a file is bad."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from dbt.__version__ import version
from dbt.tests.util import run_dbt, run_dbt_and_capture
from dbt_common.exceptions import DbtRuntimeError

Query = Callable[..., list[tuple[Any, ...]]]
SeedFile = Callable[..., Path]

NUMBERED = {
    "user_id": "text",
    "name": "text",
    "record_number": "bigint generated always as identity (cache 1000)",
}
# dbt 1.11 reads seeds of up to 1 MiB as UTF-8, come what may.
UNHASHED = pytest.mark.skipif(version < "1.12", reason="has no setting for what dbt hashes")
USERS = "user_id,name\n1,Alice\n2,Bob\n"
LATIN_1 = USERS.encode() + b"3,Ren\xe9\n"
LATIN_1_REFUSED = "users.csv, line 4: byte 0xE9 is not UTF-8 text"
RECORDS = "select user_id, name, record_number from users order by record_number"


def oid(query: Query, table: str = "users") -> int:
    return int(query("select %s::regclass::oid", table)[0][0])


@pytest.mark.usefixtures("project")
class Seeded:
    """A project with the seed `users`; each test begins with the two of them loaded."""

    column_types: ClassVar[dict[str, str]] = NUMBERED
    config: ClassVar[dict[str, Any]] = {}
    flags: ClassVar[dict[str, Any]] = {"maximum_seed_size_mib": -1}

    @pytest.fixture(scope="class")
    def seeds(self) -> dict[str, str]:
        return {"users.csv": USERS}

    @pytest.fixture(scope="class")
    def project_config_update(self) -> dict[str, Any]:
        seeds = {"+column_types": self.column_types, **self.config}
        return {"seeds": {"test": seeds}, "flags": self.flags}

    @pytest.fixture(autouse=True)
    def loaded(self, seed_file: SeedFile) -> None:
        seed_file(USERS)
        run_dbt(["seed"])


class TestRecords(Seeded):
    def test_message_and_count(self) -> None:
        result = run_dbt(["seed"]).results[0]
        assert result.message == "COPY 2"
        assert result.adapter_response["rows_affected"] == 2

    def test_a_lab_export(self, query: Query, seed_file: SeedFile) -> None:
        seed_file('\r\nUser_ID,\tNAME\r\n\r\n1,\t"Alice, PhD"\n"2" , null \r\n3,""')
        run_dbt(["seed"])
        assert query(RECORDS) == [("1", "Alice, PhD", 1), ("2", "null", 2), ("3", None, 3)]

    def test_columns_in_another_order(self, query: Query, seed_file: SeedFile) -> None:
        seed_file("name,user_id\nAlice,1\n")
        run_dbt(["seed"])
        assert query(RECORDS) == [("1", "Alice", 1)]

    def test_numbers_have_no_gaps_load_after_load(self, query: Query, seed_file: SeedFile) -> None:
        before = oid(query)
        for count in (2500, 7, 1001):
            seed_file("user_id,name\n" + "".join(f"{n},x\n" for n in range(1, count + 1)))
            run_dbt(["seed"])
            numbers = query("select min(record_number), max(record_number), count(*) from users")
            assert numbers == [(1, count, count)]
            assert query("select 1 from users where user_id <> record_number::text") == []
        assert oid(query) == before

    def test_a_header_alone(self, query: Query, seed_file: SeedFile) -> None:
        seed_file("user_id,name\n")
        assert run_dbt(["seed"]).results[0].message == "COPY 0"
        assert query(RECORDS) == []

    def test_extra_columns_are_a_warning(self, query: Query, seed_file: SeedFile) -> None:
        seed_file("user_id,note,name,\n1,x,Alice,\n")
        _, output = run_dbt_and_capture(["seed"])
        assert "users.csv: these columns are not loaded: note, column 4 (no name)" in output
        assert query(RECORDS) == [("1", "Alice", 1)]

    def test_show(self) -> None:
        # What `--show` prints; agate prints to the standard output that it was imported with.
        table = run_dbt(["seed", "--show"]).results[0].agate_table
        assert table.columns["name"].values() == ("Alice", "Bob")

    def test_empty_flag(self, query: Query) -> None:
        run_dbt(["build", "--empty"])
        assert query(RECORDS) == []

    def test_dbt_show_loads_nothing(self, query: Query, seed_file: SeedFile) -> None:
        seed_file("user_id,name\n" + "".join(f"{n},x\n" for n in range(1, 10)))
        for arguments, records in (([], 5), (["--limit", "2"], 2), (["--limit", "-1"], 9)):
            table = run_dbt(["show", "--select", "users", *arguments]).results[0].agate_table
            assert table.columns["record_number"].values() == tuple(range(1, records + 1))
        assert query("select name from users order by 1") == [("Alice",), ("Bob",)]

    def test_dbt_show_before_anything_is_loaded(self, query: Query) -> None:
        query("drop table users")
        table = run_dbt(["show", "--select", "users"]).results[0].agate_table
        assert table.columns["name"].values() == ("Alice", "Bob")
        assert query("select to_regclass('users')") == [(None,)]


class TestBadFiles(Seeded):
    @pytest.fixture(scope="class")
    def seeds(self) -> dict[str, str]:
        return {"users.csv": USERS, "others.csv": USERS}

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (USERS + "3\n", "users.csv, line 4: 1 field where 2 are expected (user_id, name)"),
            (USERS + '3,"C\n', 'users.csv, line 4: a quote (") is opened here and never closed'),
            ("user_id\n1\n", "users.csv, line 1: the column name is missing; found: user_id"),
            pytest.param(LATIN_1, LATIN_1_REFUSED, marks=UNHASHED),
            (USERS.encode() + b"3,\0\n", "users.csv, line 4: a NUL byte (0x00)"),
            pytest.param(
                USERS.encode("utf-32"), "users.csv: this is UTF-32 text, not UTF-8", marks=UNHASHED
            ),
            ("", "users.csv: the file is empty"),
        ],
        ids=["ragged", "quote", "column", "Latin-1", "NUL", "UTF-32", "empty"],
    )
    def test_a_bad_file_fails_alone_and_keeps_what_was_loaded(
        self, query: Query, seed_file: SeedFile, content: str | bytes, message: str
    ) -> None:
        before = oid(query)
        seed_file(content)
        results, output = run_dbt_and_capture(["build"], expect_pass=False)
        assert {r.node.name: r.status for r in results} == {"users": "error", "others": "success"}
        assert message in output
        assert "Traceback" not in output
        assert query(RECORDS) == [("1", "Alice", 1), ("2", "Bob", 2)]
        assert oid(query) == before

    def test_a_bad_file_keeps_a_table_that_was_to_be_made_anew(
        self, query: Query, seed_file: SeedFile
    ) -> None:
        before = oid(query)
        seed_file(USERS + "3\n")
        run_dbt(["seed", "--full-refresh"], expect_pass=False)
        assert oid(query) == before
        assert len(query(RECORDS)) == 2

    def test_a_late_problem_in_a_big_file(self, query: Query, seed_file: SeedFile) -> None:
        seed_file("user_id,name\n" + "1,some name\n" * 200_000 + "2\n")
        _, output = run_dbt_and_capture(["seed"], expect_pass=False)
        assert "users.csv, line 200002: 1 field where 2 are expected" in output
        assert len(query(RECORDS)) == 2


class TestSeedsThatDbtHashes(Seeded):
    """Without the flag, or with a dbt that has none, dbt reads small seeds before anything runs."""

    flags: ClassVar[dict[str, Any]] = {}

    def test_one_that_is_no_utf8_is_named(self, query: Query, seed_file: SeedFile) -> None:
        seed_file(LATIN_1)
        with pytest.raises(DbtRuntimeError, match=LATIN_1_REFUSED):
            run_dbt(["build"])
        assert len(query(RECORDS)) == 2

    def test_a_big_one_fails_in_its_node(self, query: Query, seed_file: SeedFile) -> None:
        seed_file(LATIN_1 + b"4,some name\n" * 100_000)
        results, output = run_dbt_and_capture(["build"], expect_pass=False)
        assert [result.status for result in results] == ["error"]
        assert LATIN_1_REFUSED in output
        assert len(query(RECORDS)) == 2

    @UNHASHED
    def test_as_many_mib_as_the_flag_says(
        self, seed_file: SeedFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seed_file(LATIN_1 + b"4,some name\n" * 100_000)
        for limit in ("0", "2"):
            monkeypatch.setenv("DBT_ENGINE_MAXIMUM_SEED_SIZE_MIB", limit)
            with pytest.raises(DbtRuntimeError, match=LATIN_1_REFUSED):
                run_dbt(["parse"])


class TestHooksOutsideTheTransaction(Seeded):
    """They send a commit that psycopg2 does not see, after which every statement stands alone."""

    config: ClassVar[dict[str, Any]] = {"+pre-hook": {"sql": "select 1", "transaction": False}}

    def test_a_bad_file_keeps_what_was_loaded(self, query: Query, seed_file: SeedFile) -> None:
        seed_file(USERS + "3\n")
        run_dbt(["seed"], expect_pass=False)
        assert len(query(RECORDS)) == 2


class TestAutocommit(TestHooksOutsideTheTransaction):
    config: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(scope="class")
    def dbt_profile_target(self, dbt_profile_target: dict[str, Any]) -> dict[str, Any]:
        return dbt_profile_target | {"autocommit": True}


class TestTypes(Seeded):
    """A declared type is PostgreSQL's to check."""

    column_types: ClassVar[dict[str, str]] = {"user_id": "int", "name": "varchar(10)"}

    def test_types(self, query: Query) -> None:
        assert query("select user_id, name from users order by 1") == [(1, "Alice"), (2, "Bob")]

    @pytest.mark.parametrize("line", ["x,Carol", "3,Constantinople"])
    def test_a_value_that_is_none_of_the_type(
        self, query: Query, seed_file: SeedFile, line: str
    ) -> None:
        seed_file(USERS + line)
        _, output = run_dbt_and_capture(["seed"], expect_pass=False)
        assert "Database Error in seed users" in output
        assert "CONTEXT:  COPY users, line 3, column" in output
        assert len(query("select * from users")) == 2

    @pytest.mark.parametrize(
        "change",
        [
            "alter table users add column extra text",
            "alter table users drop column name",
            "alter table users alter column name type text",
            "alter table users rename column name to title",
            "alter table users alter column user_id set not null",
            "drop table users; create table users (name varchar(10), user_id int)",
            "alter table users set unlogged",
        ],
    )
    def test_a_table_of_another_shape_is_made_anew(self, query: Query, change: str) -> None:
        query(change)
        run_dbt(["seed"])
        columns = query(
            "select column_name, data_type, character_maximum_length from "
            "information_schema.columns where table_schema = current_schema order by 1"
        )
        assert columns == [("name", "character varying", 10), ("user_id", "integer", None)]
        assert len(query("select * from users")) == 2

    def test_a_table_of_the_same_shape_is_kept(self, query: Query) -> None:
        # The place of a dropped column stays taken, which changes nothing.
        query("alter table users add column extra text; alter table users drop column extra")
        query("create view dependent as select * from users")
        before = oid(query)
        run_dbt(["seed"])
        assert oid(query) == before
        query("drop view dependent")

    @pytest.mark.parametrize("kind", ["view", "materialized view"])
    def test_a_view_gives_way(self, query: Query, kind: str) -> None:
        query(f"drop table users; create {kind} users as select 1 as one")
        run_dbt(["seed"])
        assert len(query("select user_id, name from users")) == 2

    def test_full_refresh_makes_the_table_anew(self, query: Query) -> None:
        before = oid(query)
        run_dbt(["seed", "--full-refresh"])
        assert oid(query) != before


class TestConfig(Seeded):
    """What dbt lets one say of any seed."""

    config: ClassVar[dict[str, Any]] = {
        "users": {
            "+alias": "People",
            "+schema": "else where",
            "+delimiter": ";",
            "+quote_columns": True,
            "+column_types": {"User_ID": "text", 'na"me': "text"},
            "+indexes": [{"columns": ['"User_ID"'], "unique": True}],
            "+persist_docs": {"relation": True, "columns": True},
            "+unlogged": True,
            "+pre-hook": "create table if not exists {{ target.schema }}.log (said text)",
            "+post-hook": "insert into {{ target.schema }}.log select count(*) from {{ this }}",
        }
    }
    column_types: ClassVar[dict[str, str]] = {}

    @pytest.fixture(scope="class")
    def properties(self) -> dict[str, str]:
        columns = [{"name": "User_ID", "description": "who", "quote": True}]
        seed = {"name": "users", "description": "people", "columns": columns}
        return {"seeds.yml": json.dumps({"version": 2, "seeds": [seed]})}

    @pytest.fixture(autouse=True)
    def loaded(self, project: Any, seed_file: SeedFile) -> None:
        seed_file('user_id;"na""me"\n1;"A;B"\n')
        project.created_schemas.append(f"{project.test_schema}_else where")
        run_dbt(["seed"])

    def test_everything_is_where_it_was_told_to_be(self, project: Any, query: Query) -> None:
        table = f'"{project.test_schema}_else where"."People"'
        run_dbt(["seed"])
        assert query(f'select "User_ID", "na""me" from {table}') == [("1", "A;B")]
        assert query("select said from log") == [("1",), ("1",)]
        comments = query(
            "select obj_description(oid), col_description(oid, 1), relpersistence::text "
            "from pg_class where oid = %s::regclass",
            table,
        )
        assert comments == [("people", "who", "u")]
        assert len(query("select 1 from pg_indexes where tablename = 'People'")) == 1


class TestUnquotedNames(Seeded):
    column_types: ClassVar[dict[str, str]] = {"USER_ID": "text", "Name": "text"}

    def test_names_are_folded_as_by_postgresql(self, query: Query) -> None:
        before = oid(query)
        run_dbt(["seed"])
        assert query("select user_id, name from users order by 1")[0] == ("1", "Alice")
        assert oid(query) == before


class TestFolder(Seeded):
    """csv_folder: the project's own file is a sample of files that come from elsewhere."""

    config: ClassVar[dict[str, Any]] = {"+meta": {"csv_folder": "{{ env_var('SEED_FOLDER', '') }}"}}

    @pytest.fixture
    def folder(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        monkeypatch.setenv("SEED_FOLDER", str(tmp_path))
        return tmp_path

    def test_unset_means_the_own_file(self, query: Query) -> None:
        assert len(query(RECORDS)) == 2

    def test_a_folder(self, query: Query, folder: Path) -> None:
        (folder / "users.csv").write_text("user_id,name\n9,Zoë\n", encoding="utf-8")
        run_dbt(["seed"])
        assert query(RECORDS) == [("9", "Zoë", 1)]

    def test_a_folder_of_the_project(
        self, project: Any, query: Query, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        exports = Path(project.project_root, "exports")
        exports.mkdir()
        (exports / "users.csv").write_text("user_id,name\n8,Yan\n", encoding="utf-8")
        monkeypatch.setenv("SEED_FOLDER", "exports")
        run_dbt(["seed"])
        assert query(RECORDS) == [("8", "Yan", 1)]

    def test_a_missing_file(self, query: Query, folder: Path) -> None:
        _, output = run_dbt_and_capture(["seed"], expect_pass=False)
        assert f"users.csv is missing from the folder {folder}" in output
        assert len(query(RECORDS)) == 2

    def test_a_folder_out_of_reach(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        stat = Path.stat

        def refuse(path: Path, **options: Any) -> os.stat_result:
            if path == folder / "users.csv":  # root may look into every folder
                raise PermissionError(errno.EACCES, "Permission denied")
            return stat(path, **options)

        monkeypatch.setattr(Path, "stat", refuse)
        _, output = run_dbt_and_capture(["seed"], expect_pass=False)
        assert f"users.csv: the folder {folder} cannot be looked into" in output
        assert f"Let user id {os.geteuid()} do so" in output


class TestLeftToDbtPostgres(Seeded):
    """A column without a declared type: dbt-postgres finds one."""

    column_types: ClassVar[dict[str, str]] = {"name": "text"}

    def test_types_are_found(self, query: Query) -> None:
        assert run_dbt(["seed"]).results[0].message == "INSERT 2"
        assert query("select pg_typeof(user_id)::text from users limit 1") == [("integer",)]

    @UNHASHED
    def test_a_file_that_is_no_text_is_named_all_the_same(self, seed_file: SeedFile) -> None:
        seed_file("user_id,name\n1,René\n".encode("latin-1"))
        _, output = run_dbt_and_capture(["seed"], expect_pass=False)
        assert "users.csv, line 2: byte 0xE9 is not UTF-8 text" in output


class TestDelimiterOfTwoBytes(TestLeftToDbtPostgres):
    """COPY takes one byte."""

    column_types: ClassVar[dict[str, str]] = {"user_id": "int", "name": "text"}
    config: ClassVar[dict[str, Any]] = {"+delimiter": "¦"}

    @pytest.fixture(autouse=True)
    def loaded(self, seed_file: SeedFile) -> None:
        seed_file("user_id¦name\n1¦Alice\n2¦Bob\n")
