"""What README.md and docs/api.md show for curl and pandas, and of queries, works on the sample."""

import re
import shlex

import pytest
from flask.testing import FlaskClient

from elute.settings import CHECKOUT

ADDRESS = re.compile(r"(?:http://)?localhost:5000(/.*)")
STARTS_OR_CHANGES = {"-X", "-T", "-d", "-N"}  # -N follows a run

pytestmark = pytest.mark.usefixtures("built")


def text_of(page: str) -> str:
    return (CHECKOUT / page).read_text(encoding="utf-8")


def readings(page: str) -> list[tuple[str, dict[str, str]]]:
    """The paths that a page has curl and pandas read, with the headers."""
    found = []
    for line in re.findall(r"(?m)^curl .*$", text_of(page)):
        words = shlex.split(line, comments=True)
        if not STARTS_OR_CHANGES & set(words):
            headers = dict(words[i + 1].split(": ") for i, word in enumerate(words) if word == "-H")
            found += [(match[1], headers) for match in map(ADDRESS.fullmatch, words) if match]
    found += [(path, {}) for path in re.findall(r'"http://localhost:5000(/[^"]+)"', text_of(page))]
    return found


@pytest.mark.parametrize("page", ["README.md", "docs/api.md"])
def test_what_curl_and_pandas_read_is_there(client: FlaskClient, page: str) -> None:
    assert len(readings(page)) >= 5
    for path, headers in readings(page):
        with client.get(path, headers=headers) as response:
            assert response.status_code == 200, path
            assert response.mimetype == headers.get("Accept", response.mimetype)


def test_the_query_language_is_understood_as_it_is_shown(client: FlaskClient) -> None:
    table = text_of("docs/api.md").partition("### The query language")[2].partition("| header")[0]
    queries = re.findall(r"(?m)^\| `([a-z]+=[^`]*)`", table)
    assert len(queries) == 6
    for query in queries:
        mart = "data_issues" if "record" in query else "user_summary"
        given = query.replace("column=operator.value", "experiment_count=gte.5")
        response = client.get(f"/marts/{mart}?{given}")
        assert response.status_code == 200, (query, response.text)
