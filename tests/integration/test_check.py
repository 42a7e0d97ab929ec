"""`elute check`: what it says of a set-up and of files, and that it leaves them alone."""

from collections.abc import Callable
from pathlib import Path

import pytest

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


def another_encoding(laboratory: Laboratory) -> str:
    laboratory.write({"users.csv": SAMPLE["users.csv"].decode().encode("cp1252")})
    return "users.csv, line 10: byte 0xE9 is not UTF-8 text"


def header_only(laboratory: Laboratory) -> str:
    laboratory.write({"compounds.csv": b"compound_id,compound_name,compound_structure\n"})
    return "compounds.csv: there is no record below the header"


@pytest.mark.parametrize("spoil", [too_many_fields, missing, another_encoding, header_only])
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


def test_a_server_that_is_not_there_is_wrong(laboratory: Laboratory) -> None:
    result = laboratory.elute("check", PGPORT="1", PGPASSWORD="none")
    assert result.returncode == 1
    assert "No connection to the database." in result.stdout
    assert "Traceback" not in result.stdout + result.stderr
