"""`elute build` as a person uses it: real processes, real dbt, a real server."""

import shlex
import signal
import subprocess
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from elute.settings import CHECKOUT
from tests.conftest import COMMAND, SAMPLE
from tests.integration.conftest import LIMIT, QUICKER, BuildSample, Laboratory
from tests.service import until

GOLDEN = Path(__file__).with_name("golden") / "user_summary.csv"
# What is beside this checkout, if anything is.
EXPORTS = sorted(path.parent for path in CHECKOUT.parent.glob("shared/data/*/users.csv"))


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def test_the_sample_gives_the_golden_user_summary(built: Laboratory) -> None:
    assert built.user_summary_as_csv() == GOLDEN.read_text(encoding="utf-8")


def test_it_says_what_came_out_what_was_left_out_and_what_next(build_sample: BuildSample) -> None:
    output = build_sample().stdout
    assert "| 1       | Amara Okafor " in output
    assert "| user_experiments.csv | 72           | 71 " in output
    assert "| user_experiments.csv | unknown user " in output
    assert 'eval "$(./run_app.sh env)"' in output


def test_building_twice_gives_the_same_marts(built: Laboratory) -> None:
    first = built.marts()
    assert built.build().returncode == 0
    assert built.marts() == first


def test_the_order_of_records_decides_only_who_is_first(built: Laboratory) -> None:
    # In the order in which the table holds them, too.
    first = built.rows("select * from marts.user_summary")
    assert [row["user_id"] for row in first] == list(range(1, 15))
    for name in ("users.csv", "user_experiments.csv"):
        header, *records = SAMPLE[name].splitlines(keepends=True)
        built.write({name: b"".join([header, *reversed(records)])})
    assert built.build().returncode == 0
    assert built.rows("select * from marts.user_summary") == first


@pytest.mark.parametrize("export", EXPORTS, ids=lambda export: str(export.name))
def test_real_exports_build_as_they_are(laboratory: Laboratory, export: Path) -> None:
    laboratory.write({path.name: path.read_bytes() for path in export.glob("*.csv")})
    result = laboratory.build()
    assert result.returncode == 0, result.stdout + result.stderr
    assert laboratory.rows("select * from marts.data_issues") == []
    if export.name != "take_home":
        return
    [alice] = laboratory.rows("select * from marts.user_summary where user_id = 1")
    assert (alice["name"], alice["experiment_count"]) == ("Alice", 2)
    assert (alice["avg_experiment_run_time"], alice["compound_id"]) == (Decimal("12.5"), 2)


def replaced(name: str, old: bytes, new: bytes) -> Mapping[str, bytes]:
    assert old in SAMPLE[name]
    return {name: SAMPLE[name].replace(old, new, 1)}


MALFORMED = {
    "a field too many": (
        replaced("user_experiments.csv", b"\n12,", b"\n12,x,"),
        "user_experiments.csv, line 13: 5 fields where 4 are expected",
    ),
    "not UTF-8": (
        replaced("users.csv", "Inés".encode(), "Inés".encode("latin-1")),
        "users.csv, line 10: ",
    ),
    "no such column": (
        replaced("compounds.csv", b"compound_name", b"label"),
        "compounds.csv",
    ),
    "an unclosed quote": (
        replaced("compounds.csv", b"Dopamine", b'"Dopamine'),
        "compounds.csv, line 6: ",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_file_is_named_and_nothing_is_lost(built: Laboratory, case: str) -> None:
    files, words = MALFORMED[case]
    [name] = files
    marts = built.marts()
    loaded = f"select * from raw.{Path(name).stem} order by record_number"
    raw = built.rows(loaded)
    built.write(files)
    result = built.build()
    assert result.returncode == 1
    assert words in in_one_line(result.stderr)
    assert "Traceback" not in result.stdout + result.stderr
    assert built.marts() == marts
    assert built.rows(loaded) == raw


def test_a_header_problem_names_the_columns_found_and_wanted(laboratory: Laboratory) -> None:
    laboratory.write({"compounds.csv": b"id,compound_name,formula\n1,Water,H2O\n"})
    message = in_one_line(laboratory.build().stderr)
    assert "id, compound_name, formula" in message
    assert "compound_id, compound_name, compound_structure" in message


def test_a_missing_file_is_named(laboratory: Laboratory) -> None:
    (laboratory.files / "users.csv").unlink()
    result = laboratory.build()
    assert result.returncode == 1
    words = f"users.csv is missing from the folder {laboratory.files}"
    assert words in in_one_line(result.stderr)


UNUSABLE = {
    "no record": (
        {"users.csv": b"user_id,name,email,signup_date\n"},
        "users.csv has no records: nothing stands below its header.",
    ),
    "no usable record": (
        {"compounds.csv": b"compound_id,compound_name,compound_structure\nx,Water,H2O\n"},
        (
            "compounds.csv has no usable record: all 1 were dropped. "
            "The commonest reason: key is not an integer (1 of them)."
        ),
    ),
    "too many dropped": (
        {"users.csv": SAMPLE["users.csv"] + b"1,Again,,\n" * 4},
        (
            "users.csv: 4 of 18 records were dropped (22.2 %), more than the 20 % allowed. "
            "The commonest reason: duplicate key (4 of them). "
            "Mend the file, or set ELUTE_MAX_DROPPED_RATIO to 0.23 or more"
        ),
    ),
    "no usable value": (
        {"users.csv": SAMPLE["users.csv"].replace(b"-", b"/")},
        ", or set ELUTE_MAX_NULLED_RATIO to 1 to build without these values.",
    ),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_files_of_little_use_are_not_published(built: Laboratory, case: str) -> None:
    files, words = UNUSABLE[case]
    marts = built.marts()
    built.write(files)
    result = built.build()
    assert result.returncode == 1
    assert words in in_one_line(result.stderr)
    assert "What was published before stays." in in_one_line(result.stderr)
    assert built.marts() == marts


def test_a_higher_ratio_lets_them_through(laboratory: Laboratory) -> None:
    files, _ = UNUSABLE["too many dropped"]
    laboratory.write(files)
    assert laboratory.build(ELUTE_MAX_DROPPED_RATIO="0.23").returncode == 0


def test_exactly_the_allowed_ratio_is_allowed(laboratory: Laboratory) -> None:
    header = b"compound_id,compound_name,compound_structure"
    laboratory.write({"compounds.csv": header + b"\n1,,\n2,,\n3,,\n4,,\nx,,\n"})
    # Most entries of the lists then name no compound.
    assert laboratory.build(ELUTE_MAX_NULLED_RATIO="1").returncode == 0


def test_a_failing_audit_keeps_every_mart(built: Laboratory) -> None:
    marts = built.marts()
    built.write({"users.csv": SAMPLE["users.csv"] + b"15,Olive,,\n"})
    # A model that loses records: the audits must notice.
    result = built.build("--exclude", "int_users_validated")
    assert result.returncode == 1
    assert "users.csv: 15 records were loaded, but 14 kept" in in_one_line(result.stderr)
    assert built.marts() == marts


def test_extra_columns_are_reported(laboratory: Laboratory) -> None:
    text = SAMPLE["compounds.csv"].decode().splitlines()
    files = {"compounds.csv": "\n".join(line + ",x" for line in text).encode()}
    laboratory.write(
        {"compounds.csv": files["compounds.csv"].replace(b"structure,x", b"structure,note")}
    )
    result = laboratory.build()
    assert result.returncode == 0
    assert "note" in result.stdout


def test_two_builds_at_once_take_turns(laboratory: Laboratory) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    with ThreadPoolExecutor(2) as pool:
        results = [result.result() for result in [pool.submit(laboratory.build) for _ in range(2)]]
    assert [result.returncode for result in results] == [0, 0]
    assert laboratory.user_summary_as_csv() == GOLDEN.read_text(encoding="utf-8")


def test_a_server_that_is_not_there_is_said_so(laboratory: Laboratory) -> None:
    result = laboratory.build(PGHOST="127.0.0.1", PGPORT="1", PGPASSWORD="none")
    assert result.returncode == 1
    assert "No connection to the database." in result.stderr
    assert "Traceback" not in result.stderr


def test_options_go_to_dbt(built: Laboratory) -> None:
    result = built.build("--full-refresh")
    assert result.returncode == 0
    assert "marts.user_summary, the first rows" in result.stdout
    for part in ("stg_users", "misspelled"):
        result = built.build("--select", part)
        assert result.returncode == 0
        assert "user_experiments ..." not in result.stdout
        assert "marts.user_summary, the first rows" not in result.stdout
        assert result.stdout.endswith(
            "\nNothing was published: no mart was built with all its rows.\n"
        )


def test_a_terminal_without_a_letter_shows_how_it_is_written(laboratory: Laboratory) -> None:
    result = laboratory.build("--quiet", LC_ALL="C", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert (result.returncode, result.stderr) == (0, "")
    assert r"In\xe9s" in result.stdout
    assert "What was left out" in result.stdout


def test_who_reads_the_beginning_only_gets_no_tracebacks(laboratory: Laboratory) -> None:
    script = (
        f'{shlex.join(COMMAND)} build {shlex.join(QUICKER)} | head -3; echo "${{PIPESTATUS[0]}}"'
    )
    result = subprocess.run(
        ["bash", "-c", script],
        check=True,
        capture_output=True,
        text=True,
        cwd=laboratory.files,
        env=laboratory.environment,
        timeout=LIMIT,
    )
    assert result.stdout.splitlines()[-1] == str(128 + signal.SIGPIPE)
    assert result.stderr == ""
    assert laboratory.rows("select build from builds.publications") == [{"build": 1}]


def test_an_option_that_is_unknown_or_only_prints_is_no_run(built: Laboratory) -> None:
    runs = "select run_id, state from elute.runs order by run_id"
    before = built.rows(runs)
    result = built.build("--nonsense")
    assert (result.returncode, result.stdout) == (2, "")
    assert "No such option" in result.stderr
    assert "--nonsense" in result.stderr
    for option, printed in (("--help", "Usage: "), ("-h", "Usage: "), ("--version", "installed:")):
        result = built.build(option)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.count(printed) == 1
    assert built.rows(runs) == before


def test_sigterm_ends_its_queries_too(laboratory: Laboratory) -> None:
    others = """
        select state, wait_event_type from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()
    """
    with laboratory.session() as session, session.cursor() as cursor:
        # A server that does not look whether its clients are still there.
        cursor.execute(
            "do $$ begin execute format("
            "'alter database %I set client_connection_check_interval = 0', current_database()"
            "); end $$"
        )
        cursor.execute("create schema raw; create table raw.users ()")
        session.commit()
        cursor.execute("lock table raw.users in access exclusive mode")
        building = subprocess.Popen(
            [*COMMAND, "build"],
            env=laboratory.environment,
            cwd=laboratory.files,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        with building:
            until(
                lambda: [row for row in laboratory.rows(others) if row["wait_event_type"] == "Lock"]
            )
            building.terminate()
            _, said = building.communicate(timeout=60)
        assert (building.returncode, said) == (
            128 + signal.SIGTERM,
            "\nStopped. What was published before stays.\n",
        )
        # Ours is the one that holds the lock.
        until(lambda: [row["state"] for row in laboratory.rows(others)] == ["idle in transaction"])
