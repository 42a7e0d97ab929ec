"""What the pages need besides the API: distributions, files to save, and their own parts."""

import json
import urllib.request
from http.client import HTTPResponse
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.browser.conftest import Site


def get(site: Site, path: str) -> HTTPResponse:
    response: HTTPResponse = urllib.request.urlopen(site.address + path, timeout=10)
    return response


def histogram(site: Site, query: str) -> dict[str, Any]:
    with get(site, f"/marts/user_summary/histogram?{query}") as response:
        found: dict[str, Any] = json.load(response)
        return found


def test_a_distribution_has_round_steps_and_every_row(site: Site) -> None:
    found = histogram(site, "column=avg_experiment_run_time&bins=8")
    assert (found["step"], found["is_whole"], found["without"]) == (5, False, 2)
    assert [bin_["from"] for bin_ in found["bins"]] == list(range(20, 65, 5))
    assert [bin_["to"] for bin_ in found["bins"]] == list(range(25, 70, 5))
    assert [bin_["count"] for bin_ in found["bins"]] == [1, 2, 2, 1, 3, 2, 0, 0, 1]


def test_whole_numbers_have_whole_steps_and_filters_apply(site: Site) -> None:
    found = histogram(
        site, "column=experiment_count&bins=200&experiment_count=gte.8&name=ilike.*a*"
    )
    assert (found["step"], found["is_whole"]) == (1, True)
    assert sum(bin_["count"] for bin_ in found["bins"]) == 2


@pytest.mark.parametrize("query", ["user_id=eq.3", "user_id=eq.13", "user_id=eq.404"])
def test_one_value_or_none_is_a_distribution_too(site: Site, query: str) -> None:
    found = histogram(site, f"column=avg_experiment_run_time&{query}")
    expected = {"user_id=eq.3": [61]}.get(query, [])
    assert [bin_["from"] for bin_ in found["bins"]] == expected


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/marts/user_summary/histogram?column=nmae", 400, "it has user_id, name"),
        ("/marts/user_summary/histogram?column=name", 400, "histograms are of numbers"),
        ("/marts/user_summary/histogram?column=user_id&bins=0", 400, "from 1 to 200"),
        ("/marts/user_summary/histogram?column=user_id&user_id=eq.x", 400, "no value for user_id"),
        ("/marts/nothing/histogram?column=user_id", 404, "no mart"),
        ("/download/nothing.csv", 404, "no mart"),
        ("/download/user_summary.pdf", 404, "nothing at"),
        ("/assets/0/style.css", 404, "nothing at"),
    ],
)
def test_what_cannot_be_is_explained(site: Site, path: str, status: int, words: str) -> None:
    with pytest.raises(HTTPError) as error:
        get(site, path)
    with error.value as response:
        assert response.status == status
        assert words in json.load(response)["detail"]


def test_pages_allow_nothing_from_elsewhere_and_nothing_inline(site: Site) -> None:
    with get(site, "/") as response:
        policy = response.headers["Content-Security-Policy"]
        page = response.read().decode()
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "http" not in page.replace("http://www.w3.org", "")
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    with get(site, address) as response:
        assert "immutable" in response.headers["Cache-Control"]
