"""The web app in this process, on a laboratory's database."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.database import Database
from dashboard.app import create_app
from elute.database import schema
from elute.database.sessions import Session, connect
from elute.settings import Settings
from tests.conftest import SAMPLE
from tests.integration.conftest import BuildSample, Laboratory


@pytest.fixture(scope="module")
def environment(one_laboratory: Laboratory) -> Iterator[dict[str, str]]:
    """The laboratory's variables, also in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGDATABASE", one_laboratory.environment["PGDATABASE"])
        schema.upgrade(os.environ)
        yield one_laboratory.environment


@pytest.fixture(scope="module")
def app(environment: dict[str, str]) -> Iterator[Flask]:
    """The app of that laboratory."""
    with serving(Settings.from_environment(environment)) as app:
        yield app


class ReadingClient(FlaskClient):
    """Reads each answer to its end and closes it, as a server does, unless told `buffered=False`.

    An answer that is left open holds a session and a place among those sent at a time.
    """

    def open(self, *args: Any, buffered: bool = True, **kwargs: Any) -> TestResponse:
        return super().open(*args, buffered=buffered, **kwargs)


@contextmanager
def serving(settings: Settings) -> Iterator[Flask]:
    """An app that has closed its sessions at the end: all tests share those of one server."""
    app = create_app(settings)
    app.test_client_class = ReadingClient
    yield app
    app.extensions["database"].reset()


ClientWith: TypeAlias = Callable[..., FlaskClient]


@pytest.fixture
def client_with(app: Flask) -> Iterator[ClientWith]:
    """Clients of apps that have other settings."""
    with ExitStack() as stack:

        def make(**settings: Any) -> FlaskClient:
            other = serving(replace(app.config["SETTINGS"], **settings))
            return stack.enter_context(other).test_client()

        yield make


@pytest.fixture(scope="module")
def database(app: Flask) -> Database:
    """What that app has its sessions from."""
    database: Database = app.extensions["database"]
    return database


@pytest.fixture
def away(client_with: ClientWith) -> FlaskClient:
    """A client of an app whose database cannot be reached."""
    return client_with(port=1)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client of it."""
    return app.test_client()


@pytest.fixture
def session(environment: dict[str, str]) -> Iterator[Session]:
    """A session as a worker has it, and an empty queue."""
    with closing(connect(os.environ)) as session:
        session.cursor().execute("truncate elute.runs restart identity cascade")
        yield session


@pytest.fixture
def owner() -> Iterator[Session]:
    """A session that may do what a build does."""
    with closing(connect()) as session:
        yield session


@pytest.fixture(scope="module")
def built(
    one_laboratory: Laboratory, build_sample: BuildSample, environment: dict[str, str]
) -> Laboratory:
    """The laboratory with the sample, built."""
    build_sample()
    schema.upgrade(os.environ)
    return one_laboratory


@pytest.fixture
def files(one_laboratory: Laboratory) -> Iterator[Path]:
    """The folder with the input files: the sample, and nothing else."""
    one_laboratory.clear()
    one_laboratory.write(SAMPLE)
    yield one_laboratory.files
    shutil.rmtree(one_laboratory.files / ".replaced", ignore_errors=True)
