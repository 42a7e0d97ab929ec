"""The media types that marts are served in."""

import pytest
from flask import Flask

from api.marts import media
from api.problems import Problem


def liked_best(header: str) -> str:
    with Flask(__name__).test_request_context(headers={"Accept": header} if header else {}):
        return media.negotiated()


@pytest.mark.parametrize(
    ("header", "media_type"),
    [
        ("", media.JSON),
        ("*/*", media.JSON),
        ("text/html,application/xhtml+xml,*/*;q=0.8", media.JSON),
        ("text/csv", media.CSV),
        ("application/vnd.pgrst.array+json", media.JSON),
        ("application/vnd.pgrst.array+json;nulls=stripped", media.JSON_WITHOUT_NULLS),
        ("application/vnd.pgrst.array; nulls=stripped; q=1", media.JSON_WITHOUT_NULLS),
        ("application/vnd.pgrst.object+json;nulls=stripped", media.OBJECT_WITHOUT_NULLS),
        ("application/json;nulls=stripped", media.JSON),
        ("text/csv;q=0.5, application/x-ndjson", media.NDJSON),
        ("application/vnd.pgrst.object+json", media.OBJECT),
        ("application/vnd.pgrst.object", media.OBJECT),
        ("application/json; charset=utf-8", media.JSON),
        ("text/csv;header=present", media.CSV),
        ("application/json;odata=verbose", media.JSON),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", media.JSON),
        ("application/json;q=0, */*;q=0.1", media.CSV),
        ("application/*;q=0.2, text/*", media.CSV),
    ],
)
def test_the_media_type_that_the_client_likes_best(header: str, media_type: str) -> None:
    assert liked_best(header) == media_type


@pytest.mark.parametrize("header", ["image/png", "*/*;q=0"])
def test_a_client_that_takes_none_is_told_what_there_is(header: str) -> None:
    with pytest.raises(Problem, match="application/x-ndjson") as raised:
        liked_best(header)
    assert raised.value.status == 406
