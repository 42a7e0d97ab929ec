"""What marts there are, and the media types that they are served in."""

import pytest

from api.web.marts import media
from api.web.marts.catalogue import marts


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("", media.JSON),
        ("*/*", media.JSON),
        ("text/html,application/xhtml+xml,*/*;q=0.8", media.JSON),
        ("text/csv", media.CSV),
        ("text/csv;q=0.5, application/x-ndjson", media.NDJSON),
        ("application/vnd.pgrst.object+json", media.OBJECT),
        ("image/png", None),
    ],
)
def test_the_form_that_the_client_likes_best(header: str, form: media.Form | None) -> None:
    assert media.accepted(header) is form


def test_the_marts_are_described() -> None:
    assert set(marts()) == {
        "user_summary",
        "user_top_compounds",
        "compound_usage",
        "experiment_stats",
        "data_issues",
        "input_summary",
    }
    for mart in marts().values():
        assert mart.description
        for column in mart.columns:
            assert column.description, (mart.name, column.name)
            assert "{{" not in column.description
    assert not marts()["user_summary"].by_name["user_id"].nullable
    assert marts()["user_summary"].by_name["avg_experiment_run_time"].data_type == "numeric"
