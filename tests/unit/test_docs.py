"""What the README says is true."""

import re

from api.settings import CHECKOUT, VARIABLES
from tests.rules.model import USER_SUMMARY_COLUMNS

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


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
