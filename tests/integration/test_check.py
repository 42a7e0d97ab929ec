"""`elute check`: what it says of a set-up and of files, and that it leaves them alone."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from string import ascii_letters

import pytest
from immutable_builds import STAYS, table_name

from elute.commands import check
from elute.provenance import options_of
from elute.rehearsal import findings
from elute.settings import Settings
from tests.conftest import SAMPLE, Elute
from tests.integration.conftest import Laboratory


def test_all_is_well(laboratory: Laboratory) -> None:
    result = laboratory.elute("check")
    assert result.returncode == 0, result.stdout
    assert "user_experiments.csv: 72 records" in result.stdout
    assert "Ready to build." in result.stdout
    assert "WRONG" not in result.stdout


def test_it_makes_no_table(laboratory: Laboratory) -> None:
    laboratory.elute("check")
    made = "select from pg_namespace where nspname in ('raw', 'staging', 'intermediate', 'marts')"
    assert laboratory.rows(made) == []


def test_it_starts_no_server(elute: Elute, own_home: Path) -> None:
    result = elute("check")
    assert result.returncode == 0, result.stdout
    assert "is not running; a build starts it" in result.stdout
    assert not (own_home / "postgres" / "data").exists()


def too_many_fields(laboratory: Laboratory) -> str:
    name = "user_experiments.csv"
    laboratory.write({name: SAMPLE[name].replace(b"\n12,", b"\n12,x,")})
    return "user_experiments.csv, line 13: 5 fields where 4 are expected"


def missing(laboratory: Laboratory) -> str:
    (laboratory.files / "users.csv").unlink()
    return "users.csv: there is no such file"


def a_link_to_nothing(laboratory: Laboratory) -> str:
    file = laboratory.files / "users.csv"
    file.unlink()
    file.symlink_to("/not/mounted/users.csv")
    return "but a link to /not/mounted/users.csv, which is not there"


def another_encoding(laboratory: Laboratory) -> str:
    laboratory.write({"users.csv": SAMPLE["users.csv"].decode().encode("cp1252")})
    return "users.csv, line 10: byte 0xE9 is not UTF-8 text"


def header_only(laboratory: Laboratory) -> str:
    laboratory.write({"compounds.csv": b"compound_id,compound_name,compound_structure\n"})
    return "compounds.csv: there is no record below the header"


@pytest.mark.parametrize(
    "spoil", [too_many_fields, missing, a_link_to_nothing, another_encoding, header_only]
)
def test_a_bad_file_is_wrong(laboratory: Laboratory, spoil: Callable[[Laboratory], str]) -> None:
    words = spoil(laboratory)
    result = laboratory.elute("check")
    assert result.returncode == 1
    [wrong] = [line for line in result.stdout.splitlines() if line.startswith("WRONG")]
    assert words in wrong
    assert "1 to mend." in result.stdout


def test_an_extra_column_is_told(laboratory: Laboratory) -> None:
    header, *records = SAMPLE["compounds.csv"].decode().splitlines()
    lines = [f"{header},note", *(f"{record},x" for record in records)]
    laboratory.write({"compounds.csv": "\n".join(lines).encode()})
    result = laboratory.elute("check")
    assert result.returncode == 0
    assert "these columns are not used: note" in result.stdout


def test_a_variable_that_is_no_setting_is_wrong(elute: Elute) -> None:
    result = elute("check", ELUTE_MAX_DROPED_RATIO="0.5")
    [wrong] = [line for line in result.stdout.splitlines() if line.startswith("WRONG")]
    assert "ELUTE_MAX_DROPED_RATIO is set, and is no setting" in wrong
    assert result.returncode == 1


def test_a_file_that_may_be_any_of_them_and_is_none_is_wrong_once(elute: Elute) -> None:
    result = elute("check", "/no/such/export.csv")
    assert result.stdout.count("/no/such/export.csv: the file cannot be read") == 1
    assert "1 to mend." in result.stdout


def test_a_pipe_is_no_file_that_can_be_read(elute: Elute, tmp_path: Path) -> None:
    pipe = tmp_path / "users.csv"
    os.mkfifo(pipe)
    result = elute("check", str(pipe))
    assert f"the file cannot be read: `{pipe}` is a named pipe" in result.stdout
    assert "1 to mend." in result.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two accounts")
def test_what_another_account_has_made_in_the_home_is_wrong(own_home: Path) -> None:
    for name in ("logs", "target", "lost+found"):
        (own_home / name).mkdir()
    nobody = 65534
    os.chown(own_home, nobody, nobody)
    os.chown(own_home / "target", nobody, nobody)
    os.setreuid(nobody, 0)
    try:
        [_, finding] = check._home(Settings.from_environment({"ELUTE_HOME": str(own_home)}))
    finally:
        os.setreuid(0, 0)
    assert finding == (False, f"{own_home / 'logs'} cannot be written to")


def test_a_home_that_is_a_file_is_wrong(elute: Elute, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("")
    result = elute("check", ELUTE_HOME=str(home))
    [wrong] = [line for line in result.stdout.splitlines() if line.startswith("WRONG")]
    assert f"{home} cannot be written to" in wrong
    assert "is not running" in elute("db", "status", ELUTE_HOME=str(home)).stdout
    # Nor can a copy of a file be made there, to be read.
    export = tmp_path / "users.csv"
    export.write_bytes(SAMPLE["users.csv"])
    result = elute("check", str(export), ELUTE_HOME=str(home))
    assert f"{export}: the file cannot be read" in result.stdout
    assert f"({home / 'uploads'})" in result.stdout


def test_a_server_that_is_not_there_is_wrong(laboratory: Laboratory) -> None:
    result = laboratory.elute("check", PGPORT="1", PGPASSWORD="none")
    assert result.returncode == 1
    assert "No connection to the database." in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def foreign_dates(files: dict[str, bytes]) -> None:
    files["users.csv"] = re.sub(rb"(\d{4})-(\d\d)-(\d\d)", rb"\3/\2/\1", files["users.csv"])


def decimal_commas(files: dict[str, bytes]) -> None:
    name = "user_experiments.csv"
    files[name] = re.sub(rb",(\d+)\.?(\d*)\n", rb',"\1,\g<2>5"\n', files[name])


def another_list(files: dict[str, bytes]) -> None:
    files["user_experiments.csv"] = files["user_experiments.csv"].replace(b";", b"|")


def keys_of_words(files: dict[str, bytes]) -> None:
    files["compounds.csv"] = re.sub(rb"(?m)^(\d)", rb"C\1", files["compounds.csv"])


def users_of_another_laboratory(files: dict[str, bytes]) -> None:
    files["users.csv"] = re.sub(rb"(?m)^(\d)", rb"77\1", files["users.csv"])


@pytest.mark.parametrize(
    "spoil",
    [foreign_dates, decimal_commas, another_list, keys_of_words, users_of_another_laboratory],
)
def test_what_a_build_would_stop_at_is_said_before_it(
    laboratory: Laboratory, spoil: Callable[[dict[str, bytes]], None]
) -> None:
    assert laboratory.elute("build", "--exclude-resource-type", "unit_test").returncode == 0
    before = laboratory.marts()
    assert laboratory.elute("check").returncode == 0
    files = dict(SAMPLE)
    spoil(files)
    laboratory.write(files)
    checked = laboratory.elute("check")
    built = laboratory.build()
    assert (checked.returncode, built.returncode) == (1, 1)
    wrong = [line for line in checked.stdout.splitlines() if line.startswith("WRONG")]
    assert wrong
    for line in wrong:
        said = line.removeprefix("WRONG").strip().removesuffix(f" {STAYS}")  # which is said once
        assert said in " ".join(built.stderr.split())
    assert laboratory.marts() == before


def test_what_a_project_of_other_files_has_left_is_no_rehearsal(laboratory: Laboratory) -> None:
    assert laboratory.elute("build", "--exclude-resource-type", "unit_test").returncode == 0
    manifest = Path(laboratory.environment["ELUTE_HOME"], "target", "manifest.json")
    left = manifest.read_text()
    assert '"alias": "compounds"' in left
    try:
        manifest.write_text(left.replace('"alias": "compounds"', '"alias": "instruments"'))
        checked = laboratory.elute("check")
    finally:
        manifest.write_text(left)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("name", ["int_users_decade", "int_users_with_a_name_that_is_cut"])
def test_what_is_rehearsed_is_found_by_its_whole_name(
    laboratory: Laboratory, tmp_path: Path, name: str
) -> None:
    settings = Settings.from_environment({**laboratory.environment, "ELUTE_HOME": str(tmp_path)})
    nodes = {
        each: {
            "alias": each,
            "resource_type": "model",
            "config": {"materialized": "table"},
            "compiled_code": f"select '{each}' as message",
            "depends_on": {},
        }
        for each in (*(f"int_users_with_{letter}" for letter in ascii_letters), name)
    }
    table = table_name(name, "1" * 32)
    options = f"-- compiled with {json.dumps(options_of(settings, {}))}\n"
    for audit, code in (
        ("assert_files_are_usable", f'{options}select * from "elute"."builds"."{table}"'),
        ("assert_values_are_usable", "select 'none' as message where false"),
    ):
        about = {"alias": audit, "resource_type": "test", "compiled_code": code}
        nodes[f"test.elute.{audit}"] = {**about, "depends_on": {"nodes": [*nodes]}}
    manifest = tmp_path / "target" / "manifest.json"
    manifest.parent.mkdir()
    manifest.write_text(json.dumps({"metadata": {"adapter_type": "pgcopy"}, "nodes": nodes}))
    with laboratory.session() as session:
        session.autocommit = True
        assert findings(session, settings) == [name]


def test_new_settings_hold_at_once(laboratory: Laboratory) -> None:
    assert laboratory.elute("build", "--exclude-resource-type", "unit_test").returncode == 0
    before = laboratory.marts()
    files = dict(SAMPLE)
    foreign_dates(files)
    laboratory.write(files)
    checked = laboratory.elute("check")
    assert "Set ELUTE_DATE_FORMAT to how the dates are written" in checked.stdout
    for _ in range(2):
        mended = laboratory.elute("check", ELUTE_DATE_FORMAT="DD/MM/YYYY")
        assert (mended.returncode, mended.stderr) == (0, "")
        lines = mended.stdout.splitlines()
        assert all(line.startswith("ok ") for line in lines[:-2]), mended.stdout
        assert lines[-2:] == ["", "Ready to build."]
    assert laboratory.marts() == before
    lenient = laboratory.elute("check", ELUTE_MAX_NULLED_RATIO="1")
    assert lenient.returncode == 0, lenient.stdout
