"""Credentials, and the session with a Spark Connect server that all threads share."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.context import SpawnContext
from threading import Lock
from typing import Any, Dict  # noqa: UP035
from uuid import uuid4

import agate  # type: ignore[import-untyped]
import grpc
from dbt.adapters.contracts.connection import (
    AdapterRequiredConfig,
    AdapterResponse,
    Connection,
    ConnectionState,
)
from dbt.adapters.exceptions.connection import FailedToConnectError
from dbt.adapters.pgcopy import PgcopyCredentials
from dbt.adapters.spark.connections import (
    SparkConnectionManager,
    SparkConnectionMethod,
    SparkCredentials,
)
from dbt.adapters.spark.session import Cursor, SessionConnectionWrapper
from dbt.adapters.sparkcopy.folder import is_folder
from dbt_common.exceptions import DbtDatabaseError, DbtRuntimeError
from dbt_common.invocation import get_invocation_id
from immutable_builds import STAYS
from pyspark.errors import PySparkException
from pyspark.errors.exceptions.connect import SparkConnectGrpcException
from pyspark.sql import SparkSession
from pyspark.sql.connect.client.retries import DefaultPolicy

_REMOTE = "SPARK_REMOTE"
_CANCELLED = "The build was cancelled."
_QUERY = re.compile(
    r"(?:\s|\(|--[^\n]*\n|/\*(?:(?!\*/).)*\*/)*(?:select|with|values|from|table)\b",
    re.IGNORECASE | re.DOTALL,
)
LOST = "08S01"  # the SQLSTATE of a link that has failed, written as dbt-pgcopy writes one
# About ten seconds in all, where the default is ten minutes: a server that is started anew in the
# meantime does not know the session any more.
_RETRIES = DefaultPolicy(max_retries=5, max_backoff=4000)


@dataclass
class SparkcopyCredentials(SparkCredentials):
    """The session of dbt-spark, whose server SPARK_REMOTE names, and two things more.

    Attributes:
        publish_to: what a target of type pgcopy has: the database that is published in.
        folder: for all that a build makes, seen by this machine and by every worker alike; see
            `Folder.of`.
    """

    # dbt makes a JSON schema of these, for which the annotations have to be of the old kind.
    method: SparkConnectionMethod = SparkConnectionMethod.SESSION
    host: str = _REMOTE
    publish_to: Dict[str, Any] = field(default_factory=dict)  # noqa: UP006
    folder: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        # Where a number does not fit, an error is better than a null.
        self.server_side_parameters["spark.sql.ansi.enabled"] = "true"
        if not is_folder(self.folder):
            raise DbtRuntimeError(  # Without it, for it may hold credentials.
                "The folder of a Spark build has to be an absolute path, or s3://bucket/folder, "
                "which ?region=, endpoint_override= and scheme= may follow."
            )

    @property
    def type(self) -> str:
        """The `type` of a profile."""
        return "sparkcopy"

    def _connection_keys(self) -> tuple[str, ...]:
        return ("schema", "folder")

    @property
    def postgres(self) -> PgcopyCredentials:
        """Of the database that is published in."""
        given = {k: v for k, v in self.publish_to.items() if k not in ("type", "threads")}
        data = PgcopyCredentials.translate_aliases(given)
        PgcopyCredentials.validate(data)
        return PgcopyCredentials.from_dict(data)


class SparkcopyConnectionManager(SparkConnectionManager):
    """Has all threads work in one session, which ends with the run."""

    TYPE = "sparkcopy"

    def __init__(self, profile: AdapterRequiredConfig, mp_context: SpawnContext) -> None:
        super().__init__(profile, mp_context)  # type: ignore[no-untyped-call]
        self._opening = Lock()
        self._session: SparkSession | None = None
        self._is_cancelled = False

    @property
    def session(self) -> SparkSession:
        """The session, opened by whoever asks first."""
        with self._opening:
            if self._session is None:
                # What is left to do after a cancel needs another one.
                name = str(uuid4()) if self._is_cancelled else get_invocation_id()
                self._session = _open(name, self.profile.credentials.server_side_parameters)
            return self._session

    def set_connection_name(self, name: str | None = None) -> Connection:
        """Overridden to open nothing: there is one session for all."""
        connection = super().set_connection_name(name)
        if connection.state != ConnectionState.OPEN:
            connection.handle = SessionConnectionWrapper(_Source(self.session))
            connection.state = ConnectionState.OPEN
        return connection

    def cancel_open(self) -> list[str]:
        """Overridden to end the session, and with it what goes on or would yet begin there."""
        self._is_cancelled = True
        session, self._session = self._session, None
        if session is not None:
            with suppress(PySparkException):
                session.client.set_retry_policies([])
                session.client.release_session()
        return []

    def end(self, invocation_id: str) -> None:
        """End what a build that was killed has left at work, if the server still knows of it."""
        with suppress(PySparkException, DbtRuntimeError):
            _open(invocation_id, {}).stop()

    def cleanup_all(self) -> None:
        """Overridden to end the session."""
        super().cleanup_all()
        if self._session is not None:
            self._session.stop()
            self._session = None

    def execute(
        self, sql: str, auto_begin: bool = False, fetch: bool = False, limit: int | None = None
    ) -> tuple[AdapterResponse, agate.Table]:
        """Overridden to have a query run though nobody wants its rows, as those of hooks are."""
        if self._is_cancelled:
            raise DbtDatabaseError(_CANCELLED)
        fetch = fetch or is_query(sql)
        with self.exception_handler(sql):  # Most goes wrong when the rows are fetched.
            result: tuple[AdapterResponse, agate.Table] = super().execute(
                sql, auto_begin, fetch, limit
            )
        return result

    @contextmanager
    def exception_handler(self, sql: str) -> Iterator[None]:  # noqa: ARG002
        """Overridden to say what went wrong in a sentence, where Spark sends a page."""
        try:
            yield
        except PySparkException as error:
            if self._is_cancelled:
                raise DbtDatabaseError(_CANCELLED) from error
            if _is_lost(error):  # What comes next need not find that out in as long a time.
                self.session.client.set_retry_policies([])
            raise DbtDatabaseError(said(error)) from error


class _Source:
    """What a handle takes its cursors from."""

    def __init__(self, session: SparkSession) -> None:
        self.session = session

    def cursor(self) -> Cursor:
        return _Cursor(self.session)


class _Cursor(Cursor):
    """A cursor of the run's own session, where that of dbt-spark looks for one each time."""

    def __init__(self, session: SparkSession) -> None:
        super().__init__()
        self._session = session

    def execute(self, sql: str, *parameters: Any) -> None:
        self._df = self._session.sql(sql % parameters if parameters else sql)


def is_query(sql: str) -> bool:
    """Whether SQL asks for rows: Spark runs it only when they are fetched, and all else at once."""
    return _QUERY.match(sql) is not None


def said(error: Exception) -> str:
    """What Spark says, without the stack of its Java machine and without what is secret."""
    text = re.split(r"\n\s*(?:JVM stacktrace:|at [\w.$]+\()", str(error))[0].strip()
    raised = re.fullmatch(r"\[USER_RAISED_EXCEPTION\] (.*) SQLSTATE: P0001", text, re.DOTALL)
    if _is_lost(error):
        text = (
            f"The Spark server {address()} does not answer, or was started anew meanwhile. "
            f"{STAYS} Build again.\nSQLSTATE {LOST}"
        )
    elif _is_full(error):
        text = f"A disk of the Spark cluster, or of the folder of its builds, is full. {STAYS}"
    elif raised:
        text = raised[1]
    for secret in re.findall(r";\s*\w+=([^;]+)", os.environ.get(_REMOTE, "")):
        text = text.replace(secret, "***") if len(secret) > len("false") else text
    return text


def _is_lost(error: Exception) -> bool:
    """Whether the server, or what it knew of us, is gone."""
    if not isinstance(error, SparkConnectGrpcException):
        return False
    is_gone = any(text in str(error) for text in ("[INVALID_HANDLE.", "stopped SparkContext"))
    return is_gone or error.getGrpcStatusCode() == grpc.StatusCode.UNAVAILABLE


def _is_full(error: Exception) -> bool:
    """Whether a disk is full, of which the message may say no more than that a task failed."""
    stack = error.getStackTrace() if isinstance(error, SparkConnectGrpcException) else ""
    return "No space left on device" in f"{error}{stack}"


def address() -> str:
    """The server's address without its parameters, one of which may be a token."""
    return os.environ.get(_REMOTE, "").partition(";")[0].rstrip("/")


def _open(invocation_id: str, parameters: dict[str, str]) -> SparkSession:
    """The session of a build, which is called by its invocation: of one that goes on, the same."""
    if not re.match(r"sc://[^/;]+", os.environ.get(_REMOTE, "")):
        raise FailedToConnectError(
            f"{_REMOTE} has to be the address of a Spark Connect server, such as sc://host:15002."
        )
    try:
        start, _, rest = os.environ[_REMOTE].partition(";")
        remote = f"{start.rstrip('/')}/;session_id={invocation_id};{rest}".rstrip(";")
        session = SparkSession.builder.remote(remote).create()
        session.client.set_retry_policies([_RETRIES])
        for name, value in parameters.items():
            session.conf.set(name, value)
    except PySparkException as error:
        raise FailedToConnectError(said(error)) from error
    return session
