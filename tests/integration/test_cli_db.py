"""The `elute` command: the server by hand, the environment for a shell, and how it fails."""

import os
import re
import signal
import subprocess
import time
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import psycopg2
import pytest
import yaml
from postgres_here import Server

from elute.cli import parse
from elute.database.server import connection_environment
from elute.settings import CHECKOUT, Settings
from tests.conftest import COMMAND, Elute


def in_a_shell(lines: str, script: str, environment: dict[str, str]) -> str:
    """What a POSIX shell prints that has read the lines, in another folder."""
    shell = ["sh", "-euc", f'eval "$1"; {script}', "sh", lines]
    done = subprocess.run(
        shell, check=True, capture_output=True, text=True, cwd="/", env=environment, timeout=60
    )
    return done.stdout


def test_the_server_by_hand(elute: Elute, own_home: Path) -> None:
    status = elute("db", "status")
    assert (status.returncode, status.stderr) == (3, "")
    assert "not running" in status.stdout
    assert not (own_home / "postgres").exists()

    assert re.match(r"PostgreSQL is running on 127.0.0.1, port \d+", elute("db", "start").stdout)
    assert elute("db", "status").returncode == 0
    assert elute("db", "stop").stdout == "PostgreSQL has stopped.\n"
    assert elute("db", "stop").stdout == "PostgreSQL was not running.\n"


def test_a_password_that_was_changed_on_the_server_alone(elute: Elute, own_home: Path) -> None:
    elute("db", "start")
    with closing(psycopg2.connect(Server(own_home / "postgres").url())) as session:
        session.cursor().execute("alter role postgres password 'rotated'")
        session.commit()
    file = own_home / "postgres" / "password"
    refused = elute("build")
    assert refused.returncode == 1
    assert f"Elute's own server does not take the password in {file}: write" in refused.stderr
    assert "PGPASSWORD" not in refused.stderr
    file.write_text("rotated\n")
    assert "ok      PostgreSQL 18" in elute("check").stdout


def test_a_home_that_was_renamed_while_its_server_ran(elute: Elute, own_home: Path) -> None:
    elute("db", "start")
    home = own_home.rename(own_home.with_name("renamed"))
    try:
        status = elute("db", "status", ELUTE_HOME=str(home))
        assert status.returncode == 0
        assert "ok      PostgreSQL 18" in elute("check", ELUTE_HOME=str(home)).stdout
        assert elute("db", "status", ELUTE_HOME=str(home)).stdout == status.stdout
        started = elute("db", "start", ELUTE_HOME=str(home))
        assert started.returncode == 0
        assert started.stdout != status.stdout
        assert f"Its data is in {home}" in started.stdout
        assert elute("db", "stop", ELUTE_HOME=str(home)).stdout == "PostgreSQL has stopped.\n"
    finally:
        home.rename(own_home)


def test_env_prints_lines_for_a_shell_and_nothing_else(elute: Elute) -> None:
    printed = elute(
        "env", DBT_TARGET="prod", DBT_LOG_PATH="/lims", PGSSLMODE="require", PGUSER="lims"
    )
    assert printed.stderr == ""
    assert [line.partition("=")[0] for line in printed.stdout.splitlines()] == [
        "unset DBT_TARGET",
        "unset PGSSLMODE",
        "export PGHOST",
        "export PGPORT",
        "export PGUSER",
        "export PGPASSWORD",
        "export PGDATABASE",
        "export PGREQUIREAUTH",
        "export PGCLIENTENCODING",
        "export DBT_PROJECT_DIR",
        "export DBT_PROFILES_DIR",
        "export DBT_TARGET_PATH",
        "export DBT_LOG_PATH",
        "export DBT_SEND_ANONYMOUS_USAGE_STATS",
        "export DBT_VERSION_CHECK",
        "export PYTHON_DOTENV_DISABLED",
        "export ELUTE_HOME",
        "export ELUTE_SEEDS_DIR",
        "export ELUTE_MAX_DROPPED_RATIO",
        "export ELUTE_MAX_NULLED_RATIO",
        "export ELUTE_CSV_ENCODING",
        "export ELUTE_DATE_FORMAT",
        "export ELUTE_RUN_TIME_UNIT",
        "export ELUTE_KEEP_BUILDS",
        "export ELUTE_KEEP_FILES_MB",
        "export ELUTE_KEPT_FILES",
        "export ELUTE_PUBLISH_WAIT_SECONDS",
        "export ELUTE_ENGINE",
        "export ELUTE_SPARK_FOLDER",
        "export PATH",
    ]


def test_psql_works_after_eval_from_any_folder(
    elute: Elute, own_environment: dict[str, str]
) -> None:
    # A machine without a psql of its own.
    lines = elute("env", PATH="/nowhere").stdout
    ask = "psql -Atc 'select current_user, current_database()'"
    assert in_a_shell(lines, ask, own_environment) == "postgres|postgres\n"


def test_env_quotes_for_the_shell(elute: Elute, own_environment: dict[str, str]) -> None:
    awkward = '/tmp/$(touch x) it\'s; "new" `touch y` \\'
    lines = elute("env", ELUTE_SEEDS_DIR=awkward).stdout
    assert in_a_shell(lines, 'printf %s "$ELUTE_SEEDS_DIR"', own_environment) == awkward


def test_env_says_the_same_where_it_was_read_before(elute: Elute) -> None:
    lines = elute("env").stdout
    exported = dict(re.findall(r"^export (PG\w+|PATH)=(.*)$", lines, re.MULTILINE))
    assert elute("env", **exported).stdout == lines


def test_its_own_server_is_started_again_where_env_was_read_before(elute: Elute) -> None:
    exported = dict(re.findall(r"^export (PG\w+)=(.*)$", elute("env").stdout, re.MULTILINE))
    assert elute("db", "stop", **exported).stdout == "PostgreSQL has stopped.\n"
    assert elute("env", **exported).returncode == 0
    assert elute("db", "status").returncode == 0


def test_pghost_names_a_server_and_none_is_started(elute: Elute, own_home: Path) -> None:
    given = {"PGHOST": "db.example.org", "PGUSER": "lab", "PGPASSWORD": "it's", "PGDATABASE": "d"}
    lines = elute("env", **given).stdout.splitlines()
    assert lines[:5] == [
        "export PGHOST=db.example.org",
        "export PGPORT=5432",
        "export PGUSER=lab",
        """export PGPASSWORD='it'"'"'s'""",
        "export PGDATABASE=d",
    ]
    refused = elute("db", "start", **given)
    assert refused.returncode == 1
    assert "PGHOST is db.example.org" in refused.stderr
    assert not (own_home / "postgres").exists()


def test_a_database_of_another_name_is_made(own_home: Path) -> None:
    settings = Settings.from_environment(
        {"ELUTE_HOME": str(own_home), "PGDATABASE": 'lab "results"'}
    )
    for _ in range(2):
        parameters = connection_environment(settings)
    connection = psycopg2.connect(
        host=parameters["PGHOST"],
        port=parameters["PGPORT"],
        user=parameters["PGUSER"],
        password=parameters["PGPASSWORD"],
        dbname=parameters["PGDATABASE"],
    )
    assert connection.info.dbname == 'lab "results"'
    connection.close()


def test_a_service_that_would_win_over_pghost_is_pointed_out(elute: Elute) -> None:
    warned = elute("env", PGHOST="db.example.org", PGSERVICE="lab")
    assert warned.returncode == 0
    assert "PGSERVICE is set" in warned.stderr


@pytest.mark.parametrize(
    ("arguments", "command", "rest"),
    [
        (["build"], "build", []),
        (["build", "--select", "x"], "build", ["--select", "x"]),
        (["build", "--full-refresh"], "build", ["--full-refresh"]),
        (["build", "-s", "a b", "--debug", "--help"], "build", ["-s", "a b", "--debug", "--help"]),
        (["build", "--", "-x"], "build", ["--", "-x"]),
        (["check"], "check", []),
    ],
)
def test_what_follows_build_is_left_for_dbt(
    arguments: list[str], command: str, rest: list[str]
) -> None:
    options, passed_on = parse(arguments)
    assert (options.command, options.debug, passed_on) == (command, False, rest)


def test_debug_before_the_command_is_ours() -> None:
    options, passed_on = parse(["--debug", "build", "--debug"])
    assert (options.debug, passed_on) == (True, ["--debug"])


def test_it_says_its_version(elute: Elute) -> None:
    assert elute("--version").stdout == f"elute {version('elute')}\n"


def test_an_expected_failure_is_a_message_and_with_debug_a_traceback(elute: Elute) -> None:
    plain = elute("env", ELUTE_PORT="x")
    assert plain.returncode == 1
    assert (
        plain.stderr == "elute: ELUTE_PORT must be one whole number from 1 to 65535, and is 'x'.\n"
    )
    assert "Traceback" in elute("--debug", "env", ELUTE_PORT="x").stderr


def test_an_unexpected_failure_is_a_sentence_and_a_log_file(
    own_home: Path, own_environment: dict[str, str]
) -> None:
    # Nobody has foreseen that there is no standard output at all.
    closed = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "env"],
        check=False,
        stderr=subprocess.PIPE,
        text=True,
        env=own_environment,
        timeout=60,
    )
    log_file = own_home / "logs" / "elute.log"
    assert closed.returncode == 1
    assert "Traceback" not in closed.stderr
    assert str(log_file) in closed.stderr
    assert "Traceback" in log_file.read_text(encoding="utf-8")


def test_output_that_cannot_be_written_is_told(own_environment: dict[str, str]) -> None:
    environment = {**own_environment, "PYTHONPATH": str(CHECKOUT)}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "check", "/no/such/export.csv"],
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "No space left on device" in done.stderr


def test_a_token_file_that_is_no_text_is_told(own_home: Path, elute: Elute) -> None:
    (own_home / "token").write_bytes(b"\xff\n")
    refused = elute("serve", "--token")
    assert refused.returncode == 1
    assert f"{own_home / 'token'} is not in ASCII." in refused.stderr


def test_a_wrong_command_is_status_2(elute: Elute) -> None:
    assert elute("frobnicate").returncode == 2
    assert elute().returncode == 2
    assert elute("--help").returncode == 0


def test_ctrl_c_while_waiting_ends_it_with_130(
    elute: Elute, own_home: Path, own_environment: dict[str, str]
) -> None:
    elute("db", "start")
    elute("db", "stop")
    # Somebody else is starting it: wait for the lock.
    lock = own_home / "postgres" / "starting.lock"
    holder = ["flock", str(lock), "sh", "-c", "echo held; exec cat"]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as held:
        assert held.stdout
        held.stdout.readline()
        with subprocess.Popen([*COMMAND, "db", "start"], env=own_environment) as waiting:
            try:
                wait_until_it_waits(waiting.pid)
                waiting.send_signal(signal.SIGINT)
                assert waiting.wait(30) == 130
            finally:
                waiting.kill()
        held.communicate()


def wait_until_it_waits(pid: int) -> None:
    """Wait until the process has asked for a lock that another holds."""
    deadline = time.monotonic() + 30
    while f" {pid} " not in blocked():
        assert time.monotonic() < deadline
        os.sched_yield()


def blocked() -> str:
    return "\n".join(line for line in Path("/proc/locks").read_text().splitlines() if "->" in line)


def test_the_profile_reads_nothing_but_libpq_variables() -> None:
    profile = yaml.safe_load((CHECKOUT / "profiles.yml").read_text(encoding="utf-8"))["elute"]
    assert "or 'postgres'" in profile["target"]
    assert re.findall(r"env_var\('(\w+)'", str(profile["outputs"]["postgres"])) == [
        "PGHOST",
        "PGPORT",
        "PGUSER",
        "PGPASSWORD",
        "PGDATABASE",
    ]
