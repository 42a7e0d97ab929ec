"""Returning to an earlier build, and making one again, over HTTP."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from flask import Flask
from flask.testing import FlaskClient

from elute.database.sessions import Session, connect
from elute.runs import queue
from tests.conftest import SAMPLE
from tests.integration.conftest import Laboratory
from tests.integration.web.conftest import ClientWith
from tests.service import held_up


@pytest.fixture
def session(built: Laboratory) -> Iterator[Session]:
    """A session as a worker has it; no run waits afterwards."""
    built.write_only(SAMPLE)
    with closing(connect(built.environment)) as session:
        yield session
        session.cursor().execute("delete from elute.runs where state in ('queued', 'running')")


@pytest.fixture
def other_users(built: Laboratory, session: Session) -> None:
    """The newest build has a user more than the one before, which is the sample."""
    if len(numbers(session)) > 1:
        assert built.elute("build").returncode == 0
    built.write({"users.csv": SAMPLE["users.csv"] + b"99,Zoe,,\n"})
    assert built.elute("build").returncode == 0


def numbers(session: Session) -> list[tuple[int, int | None]]:
    with session.cursor() as cursor:
        cursor.execute("select build, returns_to from builds.publications order by build desc")
        return cursor.fetchall()


@pytest.mark.usefixtures("other_users")
def test_an_earlier_build_is_published_again_and_the_next_one_says_so(
    client: FlaskClient, built: Laboratory, session: Session
) -> None:
    (second, _), (first, _) = numbers(session)[:2]
    before = client.get("/etl-results")
    assert len(before.get_json()) == 15
    answer = client.post(f"/builds/{first}/publish", json={"reason": "Zoe is no user"})
    returned = answer.get_json()
    assert (answer.status_code, returned["returns_to"]) == (200, first)
    assert returned["message"] == f"Build {first} is published, as build {second + 1}."
    after = client.get("/etl-results", headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, len(after.get_json())) == (200, 14)
    assert len(built.rows("select from marts.user_summary")) == 14
    assert client.get("/etl-results/99").status_code == 404
    # By the experiments of that build, which are kept as long as it is one of the newest two.
    explained = client.get("/etl-results/1/explain").get_json()
    assert (explained["user"]["user_id"], explained["is_consistent"]) == (1, True)
    [row, _, old] = built.rows("select * from builds.publications order by build desc limit 3")
    assert (row["build"], row["reason"]) == (second + 1, "Zoe is no user")
    assert row["requested_by"].startswith("127.0.0.1")
    for name in ("files", "options", "versions", "run_id", "project_version"):
        assert row[name] == old[name]
    told = client.get("/builds?limit=1").get_json()["builds"][0]
    for name in ("returns_to", "requested_by", "reason", "versions"):
        assert told[name] == row[name]
    [message, other] = client.get("/messages?limit=2").get_json()["messages"]
    assert (message["type"], message["run_id"]) == ("build.published", None)
    assert message["message"] == f"Build {first} was published again, as build {second + 1}."
    assert other["run_id"]
    # Again, it changes nothing, also while somebody reads a mart.
    noted = client.get("/audit?limit=1").get_json()
    assert noted["changes"][0]["subject"] == f"build {first}"
    with closing(connect(built.environment)) as reader:
        reader.cursor().execute("begin; select from marts.user_summary")
        for build in (first, row["build"]):
            again = client.post(f"/builds/{build}/publish").get_json()
            assert again["message"] == (
                f"Build {build} is published already, as build {row['build']}."
            )
    assert numbers(session)[0] == (row["build"], first)
    assert client.get("/audit?limit=1").get_json() == noted
    assert client.get("/messages?limit=2").get_json()["messages"] == [message, other]
    # A trigger goes by what is published now.
    assert client.post("/runs").status_code == 202
    session.cursor().execute("delete from elute.runs where state = 'queued'")
    built.write(SAMPLE)
    assert client.post("/runs").status_code == 200
    built.write({"users.csv": SAMPLE["users.csv"] + b"99,Zoe,,\n"})
    said = built.elute("build").stdout
    assert f"replaces build {row['build']}, a return to build {first} (asked for by: " in said
    assert "reason: Zoe is no user" in said
    assert len(client.get("/etl-results").get_json()) == 15
    assert client.get("/etl-results/1/explain").status_code == 200


@pytest.mark.usefixtures("other_users")
def test_what_a_return_replaces_is_said_once(
    client: FlaskClient, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    (second, _), (first, _) = numbers(session)[:2]
    caplog.set_level("INFO", "elute")
    for build in (first, second, second):
        assert client.post(f"/builds/{build}/publish").status_code == 200
    [said] = [text for text in caplog.messages if "replaces" in text]
    what = f"Build {second + 2} replaces build {second + 1}, a return to build {first} ("
    assert said.startswith(what)


@pytest.mark.usefixtures("other_users")
def test_who_asks_at_once_for_the_same_return_gets_the_same(
    client: FlaskClient, session: Session
) -> None:
    (second, _), (first, _) = numbers(session)[:2]

    def publish(_: int) -> int:
        another = client.application.test_client()
        return int(another.post(f"/builds/{first}/publish").get_json()["build"])

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(publish, range(4))) == {second + 1}


@pytest.mark.usefixtures("other_users")
def test_a_return_to_what_is_not_to_be_explained_says_how_it_is(
    client: FlaskClient,
    built: Laboratory,
    session: Session,
    environment: dict[str, str],
    client_with: ClientWith,
) -> None:
    first = numbers(session)[1][0]
    built.write({"users.csv": SAMPLE["users.csv"] + b"98,Yan,,\n"})
    assert built.elute("build").returncode == 0
    # What explains the newest has views that are dropped.
    with closing(connect(environment, name="a dump")) as reader:
        reader.cursor().execute("begin; select from intermediate.int_experiments_kept")
        refused = client_with(publish_wait_seconds=1).post(f"/builds/{first}/publish")
    assert refused.status_code == 409
    assert "held up for 1 s: a dump" in refused.get_json()["detail"]
    assert client.post(f"/builds/{first}/publish").status_code == 200
    refused = client.get("/etl-results/1/explain")
    assert (refused.status_code, refused.headers.get("Retry-After")) == (503, None)
    assert f"POST /builds/{first}/rebuild makes it again" in refused.get_json()["detail"]


@pytest.mark.usefixtures("other_users")
def test_a_return_waits_for_no_build_and_names_who_is_in_its_way(
    client: FlaskClient,
    session: Session,
    environment: dict[str, str],
    client_with: ClientWith,
) -> None:
    (second, _), (first, _) = numbers(session)[:2]
    hasty = client_with(publish_wait_seconds=1)
    with closing(connect(environment, name="a dump")) as reader:
        reader.cursor().execute("begin; select from marts.user_summary")
        refused = hasty.post(f"/builds/{first}/publish")
    assert (refused.status_code, refused.mimetype) == (409, "application/problem+json")
    assert "held up for 1 s: a dump" in refused.get_json()["detail"]
    assert numbers(session)[0][0] == second
    with held_up({"dbname": environment["PGDATABASE"]}):
        run = queue.request(session, "http")
        assert queue.start_next(session)
        answer = client.post(f"/builds/{first}/publish")
        queue.finish(session, run.run_id, "cancelled")
    assert answer.status_code == 200
    assert "The build that is going on will replace it." in answer.get_json()["message"]


@pytest.mark.usefixtures("other_users")
def test_a_build_whose_tables_are_gone_is_made_again(client: FlaskClient, session: Session) -> None:
    first = numbers(session)[1][0]
    cursor = session.cursor()
    cursor.execute(
        "select format('drop table builds.%%I', entry.value ->> 'table') "
        "from builds.publications, jsonb_each(tables) as entry "
        "where build = %s and entry.key = 'user_summary'",
        [first],
    )
    [[drop]] = cursor.fetchall()
    cursor.execute(drop)
    answer = client.post(f"/builds/{first}/publish", json={"reason": "it was right"})
    assert answer.status_code == 202
    assert answer.get_json()["options"] == {"returns_to": first, "reason": "it was right"}


@pytest.mark.parametrize(
    "body",
    ['{"reason": 5}', "[]", "{", '{"why": "x"}', r'{"reason": "\ud83d"}', r'{"reason": "a\u0000"}'],
)
def test_a_reason_is_a_text(client: FlaskClient, session: Session, body: str) -> None:
    assert client.post("/builds/1/publish", data=body).status_code == 400
    long = {"reason": "x" * 1001}
    assert client.post("/builds/1/publish", json=long).status_code == 400
    assert client.post("/builds/99/publish").status_code == 404


def test_a_build_is_made_again_by_a_run(client: FlaskClient, session: Session) -> None:
    answer = client.post("/builds/1/rebuild")
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/runs/{answer.get_json()['run_id']}"
    assert answer.get_json()["options"] == {"returns_to": 1}
    assert "has changed" not in answer.get_json()["message"]
    [noted] = client.get("/audit?limit=1").get_json()["changes"]
    assert (noted["action"], noted["subject"]) == ("rebuild", f"run {answer.get_json()['run_id']}")
    assert client.post("/builds/1/rebuild").get_json()["request_count"] == 2
    other = client.post("/runs")
    assert (other.status_code, other.get_json()["title"]) == (409, "Another run waits")


def test_it_says_what_has_changed_since(client: FlaskClient, session: Session) -> None:
    change = "update builds.publications set versions = versions || %s"
    session.cursor().execute(change, ['{"project": "another"}'])
    message = client.post("/builds/1/rebuild").get_json()["message"]
    assert "What builds has changed since build 1 (project)" in message


def test_what_cannot_be_made_again_is_said(
    app: Flask, client: FlaskClient, built: Laboratory, session: Session
) -> None:
    assert client.post("/builds/99/rebuild").status_code == 404
    assert built.elute("build", "--select", "experiment_stats").returncode == 0
    partial = client.post(f"/builds/{numbers(session)[0][0]}/rebuild")
    assert (partial.status_code, partial.mimetype) == (410, "application/problem+json")
    assert "it was not 'dbt build' of everything (select)" in partial.get_json()["detail"]
    cursor = session.cursor()
    cursor.execute("update builds.publications set files = files || %s", ['{"users.csv": "0"}'])
    gone = client.post("/builds/1/rebuild")
    assert gone.status_code == 410
    assert "users.csv as it was then is no longer kept" in gone.get_json()["detail"]
