"""JavaScript's client for PostgREST, as it is."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Laboratory
from tests.service import web_app

PACKAGE = "@supabase/postgrest-js@2.119.1"
SCRIPT = Path(__file__).with_name("postgrest.mjs")


@pytest.fixture(scope="module")
def found(built: Laboratory, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the script found, by its own names."""
    if not shutil.which("npm"):
        pytest.skip("there is no npm on this machine: apt-get install npm")
    folder = tmp_path_factory.mktemp("postgrest-js")
    install = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", PACKAGE]
    subprocess.run(install, cwd=folder, check=True, timeout=300)
    script = shutil.copy(SCRIPT, folder)
    with web_app(built.environment) as port:
        command = ["node", script, f"http://127.0.0.1:{port}/marts"]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def ids(answer: Any) -> list[int]:
    assert answer["error"] is None
    return [row["user_id"] for row in answer["data"]]


def test_select_filter_and_order(found: dict[str, Any]) -> None:
    assert set(ids(found["filtered"])) <= {3, 4, 6, 7, 8, 9}
    names = [row["name"] for row in found["filtered"]["data"]]
    assert names == sorted(names, reverse=True)
    assert all(isinstance(row["mean"], str) for row in found["filtered"]["data"])
    assert ids(found["either"]) == [1, 13, 14]
    assert ids(found["quoted"]) == ids(found["matched"]) == [3]


def test_page_and_count(found: dict[str, Any]) -> None:
    assert (ids(found["page"]), found["page"]["count"]) == ([6, 7, 8, 9, 10], 14)
    assert (found["head"]["data"], found["head"]["count"]) == (None, 14)


def test_one(found: dict[str, Any]) -> None:
    assert found["single"]["data"] == {"name": "Chen Wei"}
    assert (found["none"]["data"], found["none"]["error"]) == (None, None)
    assert (found["two"]["error"]["code"], found["two"]["status"]) == ("PGRST116", 406)


def test_other_forms(found: dict[str, Any]) -> None:
    assert found["stripped"]["data"]
    assert {tuple(row) for row in found["stripped"]["data"]} == {("user_id",)}
    assert found["csv"]["data"] == "user_id,name\n1,Amara Okafor\n"


def test_what_is_wrong_reaches_the_caller(found: dict[str, Any]) -> None:
    error = found["unknown"]["error"]
    assert error["code"] == "42703"
    assert "There is no column 'nothing' in user_summary" in error["message"]
