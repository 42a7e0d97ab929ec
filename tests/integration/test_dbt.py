"""Plain dbt on the project, after `eval "$(elute env)"`."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from elute.settings import CHECKOUT, VARIABLES
from tests.integration.conftest import MARTS, QUICKER, Laboratory


def target(laboratory: Laboratory) -> Path:
    return Path(laboratory.environment["ELUTE_HOME"]) / "target"


@pytest.fixture(scope="module")
def manifest(one_laboratory: Laboratory) -> dict[str, Any]:
    """The project, as dbt has parsed it."""
    assert one_laboratory.dbt("parse").returncode == 0
    written = (target(one_laboratory) / "manifest.json").read_text(encoding="utf-8")
    return dict(json.loads(written))


def test_build_test_and_docs_work(laboratory: Laboratory) -> None:
    for arguments in (["build"], ["test"], ["docs", "generate", "--static"]):
        result = laboratory.dbt(*arguments)
        assert result.returncode == 0, result.stdout
        assert "warn" not in result.stdout.lower().replace("warn=0", "").replace("0 warnings", "")
    page = (target(laboratory) / "static_index.html").read_text(encoding="utf-8")
    assert "Three CSV files from a laboratory go in" in page


def test_settings_that_are_empty_count_as_not_set(built: Laboratory) -> None:
    # docker-compose.yml passes on every one of them, and has `dbt build` without `elute env`.
    names = {variable.name for variable in VARIABLES if variable.name.startswith("ELUTE_")}
    empty = dict.fromkeys(names - {"ELUTE_HOME", "ELUTE_SEEDS_DIR"}, "")
    result = built.dbt("build", *QUICKER, **empty)
    assert result.returncode == 0, result.stdout
    kept = built.rows("""
        select build from builds.publications
        where to_regclass(format('builds.%I', tables -> 'user_summary' ->> 'table')) is not null
    """)
    assert len(kept) == 2


def test_nothing_deprecated_is_used(laboratory: Laboratory) -> None:
    result = laboratory.dbt("parse", "--no-partial-parse", "--show-all-deprecations")
    assert result.returncode == 0, result.stdout
    assert "eprecat" not in result.stdout


def test_everything_is_described(manifest: dict[str, Any]) -> None:
    nodes = [n for n in manifest["nodes"].values() if n["resource_type"] in ("model", "seed")]
    assert len(nodes) > len(MARTS)
    for node in nodes:
        assert node["description"], node["name"]
        for column in node["columns"].values():
            assert column["description"], (node["name"], column["name"])


def test_the_columns_people_query_are_described_in_the_database(built: Laboratory) -> None:
    undescribed = built.rows("""
        select attrelid::regclass::text, attname from pg_attribute
        join pg_class on pg_class.oid = attrelid
        where relnamespace::regnamespace::text in ('raw', 'marts')
            and relkind in ('r', 'v') and attnum > 0
            and col_description(attrelid, attnum) is null
    """)
    assert undescribed == []


def test_the_marts_have_contracts_and_an_exposure(manifest: dict[str, Any]) -> None:
    nodes = manifest["nodes"].values()
    marts = {
        n["name"]: n for n in nodes if n["resource_type"] == "model" and n["fqn"][1] == "marts"
    }
    assert set(marts) == set(MARTS)
    assert all(mart["contract"]["enforced"] for mart in marts.values())
    [exposure] = manifest["exposures"].values()
    assert len(exposure["depends_on"]["nodes"]) == len(MARTS)


def test_each_model_has_its_yaml_beside_it() -> None:
    for path in (CHECKOUT / "dbt_project" / "models").rglob("*.sql"):
        described = yaml.safe_load(path.with_suffix(".yml").read_text(encoding="utf-8"))
        assert [model["name"] for model in described["models"]] == [path.stem]
