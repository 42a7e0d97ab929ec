"""`/builds/{build}/package.zip`: all of a build, to go with a paper."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timezone
from hashlib import sha256
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from flask import Blueprint, Response, request
from pgrest_query import parse
from psycopg2 import sql

from api import database
from api.marts import media
from api.marts.copying import Copy
from api.marts.published import no_longer_kept, numbered
from api.marts.responses import again, for_ever, statement, streamed
from elute import data_package
from elute.database.builds import Build
from elute.database.sessions import Session

blueprint = Blueprint("package", __name__)
_SUMS = "SHA256SUMS"  # as sha256sum writes and checks them


@blueprint.get("/builds/<int:build>/package.zip")
def package(build: int) -> Response:
    """The marts as CSV, what is in them, what they were made from and by which SQL, checksums."""
    return again(lambda: _respond(build))


def _respond(build: int) -> Response:
    with ExitStack() as stack:
        session = stack.enter_context(database.current().streams.session())
        found = numbered(session, build)
        if not all(mart.columns for mart in found.marts.values()):
            raise no_longer_kept(session, build)
        _hold(session, found)
        # The server in front of Flask knows whether the client is still there.
        is_abandoned = request.environ.get("waitress.client_disconnected", lambda: False)
        headers = {
            "Content-Disposition": f'attachment; filename="elute-build-{build}.zip"',
            "Cache-Control": for_ever(),
            "Vary": "Authorization, Cookie",
        }
        return streamed(
            _Package(found).blocks(session, is_abandoned),
            lambda body, _: Response(body, content_type="application/zip", headers=headers),
            stack,
        )


def _hold(session: Session, build: Build) -> None:
    """Keep the tables from being dropped, until the session is closed for being in a transaction.

    Raises:
        psycopg2.errors.UndefinedTable: they have been, just now.
    """
    names = [sql.Identifier(mart.table.schema, mart.table.name) for mart in build.marts.values()]
    with session.cursor() as cursor:
        lock = sql.SQL("begin; lock table {} in access share mode")
        cursor.execute(lock.format(sql.SQL(", ").join(names)))


class _Package:
    """A zip file that is written and sent piece by piece; its files are of the build's time."""

    def __init__(self, build: Build) -> None:
        self._build, self._written = build, b""
        self._sums: dict[str, str] = {}
        self._archive = ZipFile(self, "w")  # type: ignore[call-overload]

    def write(self, data: bytes) -> int:
        """What ZipFile calls; without `tell` it writes what can be sent as it comes."""
        self._written += data
        return len(data)

    def flush(self) -> None:
        """What ZipFile calls."""

    def blocks(self, session: Session, is_abandoned: Callable[[], bool]) -> Iterator[bytes]:
        """The whole file."""
        tables = []
        for _, mart in sorted(self._build.marts.items()):
            path = data_package.path_of(mart)
            rows = statement(session, parse(mart.table, ""), media.CSV)
            size = 0
            with closing(Copy(session, rows, is_abandoned)) as copy:
                for length in self._add(path, iter(copy.read, b"")):
                    size += length
                    yield self._taken()
            tables.append(data_package.Table(mart, path, size, self._sums[path]))
        described = data_package.describe(self._build, tables)
        text = json.dumps(described, indent=2, ensure_ascii=False, default=str)
        texts = {f"sql/{name}.sql": text for name, text in sorted(self._build.sql.items())}
        for path, content in {"datapackage.json": f"{text}\n", **texts}.items():
            yield from self._text(path, content)
        sums = "".join(f"{digest}  {path}\n" for path, digest in self._sums.items())
        yield from self._text(_SUMS, sums)
        self._archive.close()
        yield self._taken()

    def _text(self, path: str, content: str) -> Iterator[bytes]:
        for _ in self._add(path, iter([content.encode()])):
            yield self._taken()

    def _add(self, path: str, blocks: Iterator[bytes]) -> Iterator[int]:
        """Write a file, and tell the length of each block."""
        moment = self._build.published_at.astimezone(timezone.utc)
        entry = ZipInfo(path, moment.timetuple()[:6])
        entry.compress_type = ZIP_DEFLATED
        digest = sha256()
        with self._archive.open(entry, "w", force_zip64=True) as file:
            for block in blocks:
                file.write(block)
                digest.update(block)
                yield len(block)
        self._sums[path] = digest.hexdigest()

    def _taken(self) -> bytes:
        written, self._written = self._written, b""
        return written
