"""The unit of run times, which nobody guesses: stated once, shown wherever there is one."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from flask.testing import FlaskClient

from elute.database import schema
from elute.settings import Settings
from tests.conftest import SAMPLE
from tests.integration.conftest import Laboratory
from tests.integration.web.conftest import serving

COLUMN = "avg_experiment_run_time"
WITH_UNIT = {
    ("user_summary", COLUMN),
    ("experiment_stats", COLUMN),
    ("experiment_stats", "min_experiment_run_time"),
    ("experiment_stats", "max_experiment_run_time"),
}


@pytest.fixture
def serve(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., FlaskClient]]:
    """Build the sample with these variables, and have a client of the web app."""

    def build(**variables: str) -> FlaskClient:
        laboratory.write(SAMPLE)
        assert laboratory.build(**variables).returncode == 0
        monkeypatch.setenv("PGDATABASE", laboratory.environment["PGDATABASE"])
        schema.upgrade(os.environ)
        settings = Settings.from_environment(laboratory.environment)
        return stack.enter_context(serving(settings)).test_client()

    with ExitStack() as stack:
        yield build


def units(client: FlaskClient) -> dict[tuple[str, str], str]:
    return {
        (mart["name"], column["name"]): column["unit"]
        for mart in client.get("/marts").get_json()
        for column in mart["columns"]
        if column["unit"] is not None
    }


def test_a_unit_that_is_stated_is_shown(serve: Callable[..., FlaskClient]) -> None:
    client = serve(ELUTE_RUN_TIME_UNIT="min")
    assert units(client) == dict.fromkeys(WITH_UNIT, "min")
    described = client.get("/openapi.json").get_json()["components"]["schemas"]
    row = described["user_summary_row"]["properties"][COLUMN]
    assert row["description"].endswith("Unit: min.")
    assert f"{COLUMN} (min)" in client.get("/tables/user_summary").text


def test_none_is_guessed(serve: Callable[..., FlaskClient]) -> None:
    client = serve()
    assert units(client) == {}
    assert "Unit:" not in client.get("/openapi.json").text
