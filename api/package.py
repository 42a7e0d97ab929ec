"""`/builds/{build}/package.zip`: all of a build, to go with a paper."""

from contextlib import ExitStack, closing

from flask import Blueprint, Response
from pgrest_query import parse
from psycopg2 import sql

from api import database
from api.marts import media
from api.marts.copying import Copy
from api.marts.published import no_longer_kept, numbered
from api.marts.sending import again, for_ever, has_client_gone, streamed
from elute import data_package
from elute.archive import Blocks
from elute.database.builds import Build, Mart
from elute.database.sessions import Session

blueprint = Blueprint("package", __name__)


@blueprint.get("/builds/<int:build>/package.zip")
def package(build: int) -> Response:
    """The marts as CSV, what is in them, what they were made from and by which SQL, checksums."""
    return again(lambda: _respond(build))


def _respond(number: int) -> Response:
    is_abandoned = has_client_gone()
    headers = {
        "Content-Disposition": f'attachment; filename="elute-build-{number}.zip"',
        "Cache-Control": for_ever(),
        "Vary": "Authorization, Cookie",
    }
    with ExitStack() as stack:
        session = stack.enter_context(database.current().streams.session())
        build = numbered(session, number)
        if not all(mart.columns for mart in build.marts.values()):
            raise no_longer_kept(session, number)
        _hold(session, build)

        def rows(mart: Mart) -> Blocks:
            copied = media.statement(session, parse(mart.table, ""), media.CSV)
            with closing(Copy(session, copied, is_abandoned)) as copy:
                yield from iter(copy.read, b"")

        return streamed(
            data_package.package(build, rows),
            lambda body, _: Response(body, content_type="application/zip", headers=headers),
            stack,
        )


def _hold(session: Session, build: Build) -> None:
    """Keep the tables from being dropped, until the session is closed for being in a transaction.

    Raises:
        psycopg2.errors.UndefinedTable: they have been, just now.
    """
    names = [sql.Identifier(mart.table.schema, mart.table.name) for mart in build.marts.values()]
    lock = sql.SQL("begin; lock table {} in access share mode").format(sql.SQL(", ").join(names))
    with session.cursor() as cursor:
        cursor.execute(lock)
