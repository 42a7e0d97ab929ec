"""What the README says is true."""

import re

import pytest
from flask import Flask

from dashboard.app import create_app
from elute.cli import parse
from elute.settings import CHECKOUT, VARIABLES
from tests.rules.model import USER_SUMMARY_COLUMNS

PAGES = {"assets", "users", "quality", "history", "files", "sign-in", "sign-out", ""}  # for people
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def app() -> Flask:
    return create_app()


def test_every_setting_is_in_the_readme() -> None:
    table = dict(re.findall(r"(?m)^\| `((?:PG|ELUTE_)\w+)` \|(.*?)\|", README))
    assert set(table) == {variable.name for variable in VARIABLES}
    for variable in VARIABLES:
        # PGUSER's default is described, not named.
        assert variable.name == "PGUSER" or table[variable.name].strip(" `") == variable.default


def test_the_columns_of_user_summary_are_in_the_readme_in_order() -> None:
    [row] = re.findall(r"(?m)^\| `user_summary` \|.*$", README)
    assert tuple(re.findall(r"`(\w+)`", row)[1:]) == USER_SUMMARY_COLUMNS


def test_the_layout_names_what_is_there() -> None:
    [tree] = re.findall(r"(?s)## Layout\n\n```\n(.*?)```", README)
    for line in tree.splitlines():
        for name in line[:30].split():
            assert (CHECKOUT / name).exists(), name


def test_every_route_is_in_the_readme_and_no_other(app: Flask) -> None:
    told = set(re.findall(r"`(?:GET|POST|PUT|DELETE) (/[^`? ]*)", README))
    told = {re.sub(r"\{\w+\}|\b7\b|[a-z_]+(?=\.csv)", "…", path) for path in told}
    rules = {re.sub(r"<.*?>", "…", rule.rule) for rule in app.url_map.iter_rules()}
    served = {rule for rule in rules if rule.split("/")[1] not in PAGES}
    # The README names the files and the forms that there are.
    served = {rule.replace("/inputs/…", "/inputs/….csv").replace("….…", "….csv") for rule in served}
    assert told == served - {"/docs"}


def test_every_command_is_in_the_readme() -> None:
    rows = re.findall(r"(?m)^\| `elute (\w+)[^`]*`", README)
    assert sorted(rows) == sorted(["serve", "build", "check", "worker", "db", "env"])
    for command in rows:
        parse([command, "status"] if command == "db" else [command])
