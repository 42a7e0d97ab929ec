"""The examples that make Elute's files of others' exports, made up here in their layout."""

import json
import subprocess
import sys
from pathlib import Path

from elute.settings import CHECKOUT
from tests.integration.conftest import Laboratory

EXAMPLES = CHECKOUT / "docs" / "examples"
BENCHLING = """
    create table "user" (id text, handle text, name text, email text, created_at timestamp);
    insert into "user" values ('ent_a0SApq3z', 'ada', 'Ada', 'ada@lab.example', '2023-01-05T08:00');
    create table entry (id text, creator_id text);
    insert into entry values ('etr_GtcscEZq', 'ent_a0SApq3z');
    create table compound (id text, name text, smiles text);
    insert into compound values ('bfi_cooUBrYb', 'Ethanol', 'CCO'), ('bfi_cooUBrYc', 'Water', 'O');
    create table run (id text, entry_id text, run_time numeric, compounds jsonb);
    insert into run values
        ('res_1', 'etr_GtcscEZq', 12.5, '["bfi_cooUBrYb"]'),
        ('res_2', 'etr_GtcscEZq', null, '["bfi_cooUBrYb", "bfi_cooUBrYc"]');
"""


def summary(laboratory: Laboratory) -> list[tuple[object, ...]]:
    """What comes of the files, all of whose records are kept."""
    built = laboratory.build()
    assert built.returncode == 0, built.stderr
    assert laboratory.rows("select * from marts.data_issues") == []
    rows = laboratory.rows(
        "select name, signup_date::text, experiment_count, avg_experiment_run_time::text,"
        " compound_name from marts.user_summary order by name"
    )
    return [tuple(row.values()) for row in rows]


def test_elabftw(laboratory: Laboratory, tmp_path: Path) -> None:
    ethanol, water = (
        {"id": 3, "name": "Ethanol", "smiles": "CCO"},
        {"id": 8, "name": "Water", "smiles": "O"},
    )
    field = {"Run time": {"type": "number", "value": "12.5", "unit": "min"}}
    experiments = [
        {
            "id": 11,
            "userid": 2,
            "metadata": json.dumps({"extra_fields": field}),
            "compounds": [ethanol],
        },
        {"id": 12, "userid": 2, "metadata": None, "compounds": [water, ethanol]},
    ]
    users = [
        {
            "userid": 2,
            "fullname": "Ada",
            "email": "ada@lab.example",
            "created_at": "2023-01-05 08:00:00",
        },
        {"userid": 5, "fullname": "Ben", "email": "ben@lab.example", "created_at": None},
    ]
    for name, content in (("experiments.json", experiments), ("users.json", users)):
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    command = [
        sys.executable,
        str(EXAMPLES / "elabftw.py"),
        "experiments.json",
        "users.json",
        "Run time",
    ]
    subprocess.run([*command, str(laboratory.files)], check=True, cwd=tmp_path)
    assert summary(laboratory) == [
        ("Ada", "2023-01-05", 2, "12.5", "Ethanol"),
        ("Ben", None, 0, None, None),
    ]


def test_benchling(laboratory: Laboratory) -> None:
    psql = ["psql", "--quiet", "--no-psqlrc"]
    for ask in (["--command", BENCHLING], ["--file", str(EXAMPLES / "benchling.sql")]):
        subprocess.run([*psql, *ask], check=True, cwd=laboratory.files, env=laboratory.environment)
    assert summary(laboratory) == [("Ada", "2023-01-05", 2, "12.5", "Ethanol")]
