"""What a user of dbt knows, on the project: its commands, and the flags that change them."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from dbt.__version__ import version

from elute.settings import CHECKOUT
from tests.conftest import SAMPLE
from tests.integration.conftest import MARTS, SCHEMAS, Laboratory

# The project silences one warning itself, which rules out plain --warn-error.
WARNINGS_ARE_ERRORS = '{"error": "all", "silence": ["UnsupportedConstraintMaterialization"]}'
NO_TESTS = ["--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"]


class Result(NamedTuple):
    """What a command ended with, printed, and made of each node that it ran."""

    status: int
    output: str
    nodes: dict[str, str]


class Dbt:
    """Runs dbt's commands on a laboratory where everything is built.

    Attributes:
        laboratory: the laboratory; a test leaves it as it was.
        marts: what is in each mart.
        state: a copy of dbt's artifacts of that build, for `--state`.
    """

    def __init__(self, laboratory: Laboratory, folder: Path) -> None:
        self.laboratory = laboratory
        self.target = Path(laboratory.environment["ELUTE_HOME"]) / "target"
        laboratory.clear()
        laboratory.write(SAMPLE)
        built = self("--warn-error-options", WARNINGS_ARE_ERRORS, "build")
        assert built.status == 0, built.output
        self.marts = laboratory.marts()
        self.state = shutil.copytree(self.target, folder / "state")

    def __call__(self, *arguments: str) -> Result:
        """Run a command."""
        results = self.target / "run_results.json"
        before = results.stat().st_mtime_ns if results.exists() else 0
        done = self.laboratory.dbt("--no-use-colors", *arguments)
        ran = results.exists() and results.stat().st_mtime_ns != before
        return Result(done.returncode, done.stdout + done.stderr, _nodes(results) if ran else {})


def _nodes(results: Path) -> dict[str, str]:
    content: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    return {node["unique_id"].split(".")[2]: node["status"] for node in content["results"]}


@pytest.fixture(scope="module")
def dbt(one_laboratory: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """dbt, after a build."""
    return Dbt(one_laboratory, tmp_path_factory.mktemp("commands"))


def test_list(dbt: Dbt) -> None:
    command = ["list", "--quiet", "--resource-type", "model", "--output", "name"]
    result = dbt(*command, "--select", "1+user_summary", "--exclude", "user_top_compounds")
    parents = ["int_compounds_kept", "int_user_run_times", "int_users_kept"]
    assert result.output.split() == [*parents, "user_summary"]


def test_run(dbt: Dbt) -> None:
    options = ["--select", "1+user_summary", "--exclude", "user_top_compounds", "--full-refresh"]
    result = dbt("run", *options)
    assert result.status == 0
    assert result.nodes.items() >= {"int_users_kept": "success", "user_summary": "success"}.items()
    assert "user_top_compounds" not in result.nodes
    assert dbt.laboratory.marts() == dbt.marts


def test_compile(dbt: Dbt, tmp_path: Path) -> None:
    # A variable, though nothing reads it, has dbt parse all anew: elsewhere, for the other tests.
    options = ["--vars", "{unread: 1}", "--target-path", str(tmp_path)]
    result = dbt("compile", "--quiet", "--select", "user_summary", *options)
    assert result.status == 0
    assert '"intermediate"."int_users_kept"' in result.output


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--select", "users"], "| Amara Okafor "),
        (["--select", "int_experiment_issues"], "unknown compound"),
        (["--select", "data_issues"], "unknown compound"),
        (["--inline", "select 'n=' || count(*) as n from {{ ref('users') }}"], "n=14"),
    ],
    ids=["seed", "part of a model", "mart", "inline"],
)
def test_show(dbt: Dbt, arguments: list[str], shown: str) -> None:
    result = dbt("show", *arguments)
    assert result.status == 0
    assert shown in result.output


def test_full_refresh(dbt: Dbt) -> None:
    result = dbt("build", "--full-refresh", *NO_TESTS)
    assert result.status == 0
    assert "[COPY 14 in" in result.output
    assert dbt.laboratory.marts() == dbt.marts


def test_seed_show(dbt: Dbt) -> None:
    # dbt then ends with an error in any project with a hook: it looks for the table of the hook.
    output = dbt("seed", "--show").output
    for seed in ("users", "user_experiments", "compounds"):
        table = output.split(f"Random sample of table: raw.{seed}\n")[1].split("Random sample")[0]
        assert table.count("\n|") == 2 + 10, seed


def test_test(dbt: Dbt) -> None:
    result = dbt("test", "--select", "user_summary", "--exclude-resource-type", "unit_test")
    assert result.status == 0
    assert set(result.nodes.values()) == {"pass", "success"}


def test_failures_are_explained_and_stored(dbt: Dbt) -> None:
    header, *records = SAMPLE["users.csv"].splitlines(keepends=True)
    dbt.laboratory.write({"users.csv": header + records[0] * 2})
    result = dbt("build", "--store-failures")
    assert result.status == 1
    assert "users.csv: 1 of 2 records were dropped" in result.output
    stored = dbt.laboratory.rows("select message from dbt_test__audit.assert_files_are_usable")
    assert any("users.csv: 1 of 2 records" in row["message"] for row in stored)
    assert dbt.laboratory.marts() == dbt.marts
    dbt.laboratory.write(SAMPLE)
    assert dbt("build", *NO_TESTS).status == 0


def test_fail_fast_and_retry(dbt: Dbt) -> None:
    dbt.laboratory.write({"users.csv": SAMPLE["users.csv"] + b"15,\xe9\n"})
    result = dbt("build", "--fail-fast")
    assert result.status == 1
    assert "users.csv, line 16: byte 0xE9 is not UTF-8 text" in result.output
    # A busy dbt may end before it has noted the very result that ends it, and so call it skipped.
    assert result.nodes["users"] in ("error", "skipped")
    assert result.nodes["user_summary"] == "skipped"
    assert "Traceback" not in result.output
    dbt.laboratory.write(SAMPLE)
    result = dbt("retry")
    assert result.status == 0, result.output
    assert result.nodes.items() >= {"users": "success", "user_summary": "success"}.items()
    assert dbt.laboratory.marts() == dbt.marts


def test_empty(dbt: Dbt) -> None:
    # As dbt has it, every node runs; but what has no rows is never published.
    result = dbt("build", "--empty")
    assert result.status == 0, result.output
    assert set(result.nodes.values()) <= {"success", "pass", "no-op"}
    assert dbt.laboratory.marts() == dbt.marts
    assert dbt("build", *NO_TESTS).status == 0
    assert dbt.laboratory.marts() == dbt.marts


def test_sample(dbt: Dbt) -> None:
    # No model has an event time, so all is the sample; but dbt-pgcopy does not know that.
    result = dbt("run", "--sample", "1 day")
    assert result.status == 0
    assert "Nothing is published" in result.output
    assert dbt.laboratory.marts() == dbt.marts


def test_defer(dbt: Dbt) -> None:
    state = ["--defer", "--favor-state", "--state", str(dbt.state)]
    result = dbt("run", "--select", "user_summary", *state)
    assert result.status == 0
    assert result.nodes["user_summary"] == "success"
    assert dbt.laboratory.marts() == dbt.marts


def test_clone_to_itself_changes_nothing(dbt: Dbt) -> None:
    # There is nowhere else: the schemas are the same for every target.
    result = dbt("clone", "--state", str(dbt.state), "--full-refresh")
    assert result.status == 0
    assert dbt.laboratory.marts() == dbt.marts


def test_docs_generate(dbt: Dbt) -> None:
    assert dbt("docs", "generate", "--no-compile").status == 0
    catalog = json.loads((dbt.target / "catalog.json").read_text(encoding="utf-8"))
    assert {f"model.elute.{mart}" for mart in MARTS} <= catalog["nodes"].keys()
    assert "seed.elute.users" in catalog["nodes"]


def test_source_freshness(dbt: Dbt) -> None:
    # The seeds are what other projects have sources for, so there is nothing to look at.
    assert dbt("source", "freshness").status == 0


def test_a_file_of_the_project_that_is_no_utf8_is_named(dbt: Dbt, tmp_path: Path) -> None:
    # As when nobody has set ELUTE_SEEDS_DIR: dbt itself looks at the files in seeds/.
    users = {"users.csv": SAMPLE["users.csv"] + b"15,\xe9,,\n"}
    project = shutil.copytree(CHECKOUT / "dbt_project", tmp_path / "dbt_project", symlinks=True)
    seeds = shutil.copytree(CHECKOUT / "seeds", tmp_path / "seeds")
    (seeds / "users.csv").write_bytes(users["users.csv"])
    dbt.laboratory.write(users)
    result = dbt("seed", "--project-dir", str(project), "--target-path", str(tmp_path))
    dbt.laboratory.write(SAMPLE)
    assert result.status != 0
    assert "users.csv, line 16: byte 0xE9 is not UTF-8 text" in result.output
    if version >= "1.12":  # before, dbt reads them before anything runs
        assert result.output.count("OK loaded seed file") == 2
    assert dbt.laboratory.marts() == dbt.marts


def test_a_build_names_the_files_that_another_run_has_loaded(dbt: Dbt) -> None:
    users = SAMPLE["users.csv"] + b"99,Alice,,\n"
    dbt.laboratory.write({"users.csv": users})
    assert dbt("seed", "--select", "users").status == 0
    part = dbt("run", "--select", "compound_usage")
    assert part.status != 0
    assert "The table of users.csv holds, or has held, something else than" in part.output
    dbt.laboratory.write(SAMPLE)  # What is between may be of the other file still.
    assert dbt("seed", "--select", "users").status == 0
    assert dbt("run", "--select", "compound_usage").status != 0
    dbt.laboratory.write({"users.csv": users})
    assert dbt("seed", "--select", "users").status == 0
    assert dbt.laboratory.marts() == dbt.marts
    assert dbt("run").status == 0
    newest = "select files from builds.publications order by build desc limit 1"
    [row] = dbt.laboratory.rows(newest)
    assert row["files"] == {
        name: hashlib.sha256(content).hexdigest()
        for name, content in {**SAMPLE, "users.csv": users}.items()
    }
    assert dbt("run", "--select", "compound_usage").status == 0
    with dbt.laboratory.session() as session:  # one that the project has no more
        session.cursor().execute("insert into builds.loaded_files values ('gone.csv', '')")
        session.cursor().execute("update builds.publications set files['gone.csv'] = '\"0\"'")
        session.commit()
    assert dbt("build", "--empty", "--select", "users").status == 0
    emptied = dbt("run")
    assert emptied.status != 0
    assert "The table of users.csv holds, or has held, something else" in emptied.output
    dbt.laboratory.write(SAMPLE)
    assert dbt("build", *NO_TESTS).status == 0
    [row] = dbt.laboratory.rows(newest)
    assert row["files"].keys() == SAMPLE.keys()
    assert dbt.laboratory.marts() == dbt.marts


def test_a_target_with_a_schema_of_its_own_is_apart(dbt: Dbt, tmp_path: Path) -> None:
    profiles = (CHECKOUT / "profiles.yml").read_text(encoding="utf-8")
    alice = "alice: {<<: *postgres, schema: alice}\n    spark:"
    (tmp_path / "profiles.yml").write_text(profiles.replace("spark:", alice, 1), encoding="utf-8")
    dbt.laboratory.write({"users.csv": SAMPLE["users.csv"] + b"99,Alice,,\n"})
    place = ["--profiles-dir", str(tmp_path), "--target-path", str(tmp_path / "target")]
    assert dbt("build", *NO_TESTS, "--target", "alice", *place).status == 0
    dbt.laboratory.write(SAMPLE)
    assert dbt.laboratory.rows("select 1 from alice_marts.user_summary where user_id = 99")
    assert dbt.laboratory.marts() == dbt.marts
    schemas = dbt.laboratory.rows("select nspname from pg_namespace where nspname like 'alice%'")
    with dbt.laboratory.session() as session:
        for row in schemas:
            session.cursor().execute(f"drop schema {row['nspname']} cascade")
        session.commit()
    assert {row["nspname"].removeprefix("alice_") for row in schemas} == {*SCHEMAS}


def test_what_an_audit_finds_is_told_with_its_name(dbt: Dbt, tmp_path: Path) -> None:
    project = shutil.copytree(CHECKOUT / "dbt_project", tmp_path / "dbt_project")
    shutil.copytree(CHECKOUT / "seeds", tmp_path / "seeds")
    macro = project / "macros" / "text_to_number.sql"
    text = macro.read_text(encoding="utf-8")
    macro.write_text(text.replace(">= 999999999999.9999999999999995", "> 1e12"), encoding="utf-8")
    found = "select 'Row ' || n as message from generate_series(1, 9) n order by n limit 2 -- few"
    (project / "tests" / "assert_none.sql").write_text(found, encoding="utf-8")
    place = ["--project-dir", str(project), "--target-path", str(tmp_path / "target")]
    rules = "assert_values_are_read_by_the_rules"
    result = dbt("build", "--select", rules, "assert_none", *place)
    assert result.status != 0
    assert f"{rules}: By the rules, “1e12” is no value, but it is read as 1" in result.output
    assert [f"assert_none: Row {n}\n" in result.output for n in (1, 2, 3)] == [True, True, False]
    assert dbt.laboratory.marts() == dbt.marts
