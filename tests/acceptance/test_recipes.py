"""The recipes of CONTRIBUTING.md, followed on a copy of the project."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from elute.settings import CHECKOUT
from tests.conftest import SAMPLE, own_database
from tests.service import web_app

RECIPES = re.findall(
    r"(?ms)^```diff\n(.*?)^```$", (CHECKOUT / "CONTRIBUTING.md").read_text(encoding="utf-8")
)

# What a lab keeps beside its files, or a browser and a Mac leave there: no business of a build.
OTHERS = ("users (1).csv", "plates.csv", "._users.csv", "backup/users.csv", "2023/plates.csv")


class Copy:
    """A copy of the project with all recipes, built and served.

    Attributes:
        folder: where it is.
        environment: the variables of its programs.
        port: where its web app listens.
    """

    def __init__(self, folder: Path, parameters: dict[str, Any]) -> None:
        self.folder = folder / "checkout"
        files = folder / "files"
        files.mkdir()
        for name, content in SAMPLE.items():
            # A date that the changed rule does not take.
            (files / name).write_bytes(content.replace(b"2021-06-02", b"1899-12-31"))
        left_out = shutil.ignore_patterns(".*", "__pycache__", "target")
        shutil.copytree(CHECKOUT, self.folder, symlinks=True, ignore=left_out)
        shutil.copy(CHECKOUT / "dbt_project" / ".dbtignore", self.folder / "dbt_project")
        for name in OTHERS:
            (self.folder / "seeds" / name).parent.mkdir(exist_ok=True)
            (self.folder / "seeds" / name).write_bytes(b"plate,\xe9\n")
        for recipe in RECIPES:
            subprocess.run(
                ["git", "apply", "-"], input=recipe, text=True, check=True, cwd=self.folder
            )
        (files / "instruments.csv").write_bytes(
            (self.folder / "seeds" / "instruments.csv").read_bytes()
        )
        packages = [str(path) for path in self.folder.glob("packages/pgrest-query/src")]
        self.environment = {
            **os.environ,
            "PGDATABASE": parameters["dbname"],
            "PYTHONPATH": os.pathsep.join([str(self.folder), *packages]),
            "ELUTE_HOME": str(folder / "home"),
            "ELUTE_SEEDS_DIR": str(files),
            "ELUTE_LABORATORY": "North",
        }
        self.port = 0

    def run(self, *arguments: str) -> str:
        """What a Python of the copy prints."""
        done = subprocess.run(
            [sys.executable, *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=self.environment,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def get(self, path: str) -> str:
        """What its web app answers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            return str(answer.read().decode())

    def json(self, path: str) -> Any:
        """The same, read."""
        return json.loads(self.get(path))


@pytest.fixture(scope="module")
def copy(
    connection_parameters: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Copy]:
    with own_database(connection_parameters, "recipes") as parameters:
        copy = Copy(tmp_path_factory.mktemp("recipes"), parameters)
        copy.run("-m", "elute.cli", "build")
        with web_app(copy.environment, copy.folder) as copy.port:
            yield copy


def test_a_mart(copy: Copy) -> None:
    [first, *_] = copy.json("/marts/signup_years")
    assert first == {"signup_year": 2021, "user_count": 3}
    assert "signup_years" in {mart["name"] for mart in copy.json("/marts")}
    described = copy.json("/openapi.json")
    assert "/marts/signup_years" in described["paths"]
    assert "/download/signup_years.{extension}" in described["paths"]
    assert 'href="/tables/signup_years"' in copy.get("/tables")
    page = copy.get("/tables/signup_years")
    assert 'data-column="user_count"' in page
    assert "Number of users who signed up in it." in page
    assert copy.get("/download/signup_years.csv").splitlines()[:2] == [
        "\ufeffsignup_year,user_count",
        "2021,3",
    ]
    assert 'elute_mart_rows{mart="signup_years"}' in copy.get("/metrics")


def test_an_input_file(copy: Copy) -> None:
    assert "instruments.csv: 2 records" in copy.run("-m", "elute.cli", "check")
    inputs = {each["name"]: each for each in copy.json("/inputs")["inputs"]}
    assert inputs["instruments.csv"]["columns"] == ["instrument_id", "instrument_name"]
    names = copy.json("/openapi.json")["components"]["schemas"]["InputName"]["enum"]
    assert "instruments.csv" in names
    request = urllib.request.Request(
        f"http://127.0.0.1:{copy.port}/inputs/instruments.csv",
        b"instrument_name,instrument_id\nScale,3\n",
        {"Content-Type": "text/csv"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert json.load(answer)["records"] == 1
    [account] = copy.json("/marts/input_summary?source_file=eq.instruments.csv")
    assert (account["records_read"], account["records_kept"]) == (2, 2)
    measured = 'elute_input_records{file="instruments.csv",outcome="kept"} 2.0'
    assert measured in copy.get("/metrics")


def test_an_input_file_is_known_to_an_app_that_runs(copy: Copy) -> None:
    text = (copy.folder / "seeds" / "instruments.yml").read_text(encoding="utf-8")
    declared = copy.folder / "seeds" / "rooms.yml"
    rooms = text.replace("instrument", "room")
    for content, is_known in (
        (rooms, True),
        ("seeds: [", False),
        (rooms, True),
        ("", False),
        (rooms + "# é", False),
    ):
        declared.write_text(content, encoding="latin-1")
        names = {each["name"] for each in copy.json("/inputs")["inputs"]}
        assert (names >= {"users.csv", "instruments.csv"}, "rooms.csv" in names) == (True, is_known)
    declared.unlink()
    instruments = copy.folder / "seeds" / "instruments.yml"
    for content, is_wrong in ((text.replace("_name", "_number"), True), (text, False)):
        instruments.write_text(content, encoding="utf-8")
        inputs = {each["name"]: each for each in copy.json("/inputs")["inputs"]}
        assert ("instrument_number" in str(inputs["instruments.csv"]["problems"])) == is_wrong


def test_a_column(copy: Copy) -> None:
    [user] = copy.json("/etl-results?user_id=eq.1")
    with (CHECKOUT / "seeds" / "user_experiments.csv").open(encoding="utf-8") as file:
        records = [record for record in csv.DictReader(file) if record["user_id"] == "1"]
    times = [float(record["experiment_run_time"]) for record in records]
    assert user["max_experiment_run_time"] == max(times)
    row = copy.json("/openapi.json")["components"]["schemas"]["user_summary_row"]
    assert "max_experiment_run_time" in row["properties"]
    assert 'data-column="max_experiment_run_time"' in copy.get("/tables/user_summary")


def test_a_rule(copy: Copy) -> None:
    built = {row["user_id"]: row["signup_date"] for row in copy.json("/etl-results")}
    [issue] = copy.json("/marts/data_issues?value=eq.1899-12-31")
    assert (built[3], issue["problem"]) == (None, "not a calendar date")
    script = """
import json, os, pathlib
from tests.rules.model import COLUMNS, build
folder = pathlib.Path(os.environ["ELUTE_SEEDS_DIR"])
rows = build({name: (folder / name).read_bytes() for name in COLUMNS}).user_summary
print(json.dumps({row["user_id"]: row["signup_date"] for row in rows}, default=str))
"""
    expected = json.loads(copy.run("-c", script))
    assert {str(user_id): day for user_id, day in built.items()} == expected


def test_an_operator(copy: Copy) -> None:
    names = [row["name"] for row in copy.json("/etl-results?name=starts.Ch")]
    assert names == ["Chen Wei"]
    filters = copy.json("/openapi.json")["paths"]["/etl-results"]["get"]["parameters"]
    [pattern] = {each["schema"].get("pattern") for each in filters} - {None}
    assert re.match(pattern, "starts.Ch")


def test_a_setting(copy: Copy) -> None:
    script = "from elute.settings import Settings; print(Settings.from_environment().laboratory)"
    assert copy.run("-c", script) == "North\n"
