"""What the pages show for pandas, polars, DuckDB and R, run on values that are easily misread."""

import datetime
import math
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from elute.settings import CHECKOUT
from tests.integration.conftest import Laboratory
from tests.integration.web.publishing import publish
from tests.service import web_app

# Digits as a name, a mean that looks like a second of 1971, and one of 12 digits before the point.
COLUMNS = """
user_id,
(array['0012', 'Zoë, "Z"', 'null', 'NA'])[1 + user_id % 4] as name,
email, signup_date, experiment_count,
(array[31536001.5, 999999999999.9999, null, 0.1])[1 + user_id % 4]::numeric
    as avg_experiment_run_time,
compound_id, compound_name, compound_structure
"""


@pytest.fixture(scope="module")
def port(built: Laboratory) -> Iterator[int]:
    with built.session() as owner:
        publish(owner, COLUMNS)
        owner.commit()
    with web_app(built.environment) as port:
        yield port


def code(page: str, words: str, language: str, port: int) -> str:
    """The one block on a page that has these words, for this port."""
    text = (CHECKOUT / page).read_text(encoding="utf-8")
    blocks: list[str] = re.findall(rf"(?s)```{language}\n(.*?)```", text)
    [block] = [block for block in blocks if words in block]
    return block.replace("localhost:5000", f"127.0.0.1:{port}")


def test_pandas(port: int) -> None:
    found: dict[str, Any] = {}
    exec(code("README.md", "import pandas", "python", port), found)
    users = found["users"]
    assert list(users["name"][:4]) == ['Zoë, "Z"', "null", "NA", "0012"]
    means = list(users["avg_experiment_run_time"][:4])
    assert means[0] == 999999999999.9999
    assert math.isnan(means[1])
    assert means[3] == 31536001.5
    assert users["user_id"].dtype == "int64"
    exec(code("docs/api.md", "import pandas", "python", port), found)
    assert str(found["users"]["signup_date"].dtype).startswith("datetime64")


def test_polars(port: int) -> None:
    found: dict[str, Any] = {}
    exec(code("docs/api.md", "import polars", "python", port), found)
    users = found["users"]
    assert users["name"].to_list()[:4] == ['Zoë, "Z"', "null", "NA", "0012"]
    assert users["avg_experiment_run_time"].to_list()[:4] == [
        999999999999.9999,
        None,
        0.1,
        31536001.5,
    ]


def test_duckdb(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(code("docs/api.md", "import duckdb", "python", port), found)
    rows = found["users"].order("user_id").fetchall()
    assert [row[1] for row in rows[:4]] == ['Zoë, "Z"', "null", "NA", "0012"]
    assert rows[3][5] == 31536001.5
    assert isinstance(rows[0][3], datetime.date)


def test_r(port: int) -> None:
    if not shutil.which("Rscript"):
        pytest.skip("there is no R on this machine: apt-get install r-base-core")
    script = code("docs/api.md", "read.csv", "r", port) + (
        "cat(users$name[1:4], class(users$signup_date), "
        "format(users$avg_experiment_run_time[4], nsmall = 1), nrow(users), sep = '|')"
    )
    done = subprocess.run(
        ["Rscript", "-e", script], check=True, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == 'Zoë, "Z"|null|NA|0012|Date|31536001.5|14'
