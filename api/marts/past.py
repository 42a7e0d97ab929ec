"""Marts as they were: which build was published at a time that is asked for (RFC 7089)."""

import re
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from flask import Response, request, url_for

from api import database
from api.marts.published import not_built
from api.parameters import query_without
from api.problems import Problem
from elute.database import history
from elute.database.sessions import Session
from elute.time_zone import local_zone

_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")  # A + in an address stands for a blank.
_FRACTION = re.compile(r"\.(\d+)")  # Python 3.10 reads three or six digits, as ours need not have.
_ISO = "as_of is a time such as 2026-11-20T06:00 or 2026-11-20T06:00+01:00"
_HTTP = "Accept-Datetime is a time such as Fri, 20 Nov 2026 06:00:00 GMT"


def redirection(name: str) -> Response | None:
    """To this mart of the build that was published then; None if no time is asked for.

    Raises:
        Problem: 400 it is no time, 404 it is before the first build, 503 there is none.
    """
    moment = _moment()
    if moment is None:
        return None

    def look(session: Session) -> int:
        build = history.at(session, moment)
        if build is None:
            raise _too_early(history.first_published_at(session))
        return build

    build = database.current().reader.read(look)
    headers = {
        "Location": _with_query(url_for("builds.mart", build=build, name=name)),
        "Link": original(request.script_root + request.path),
        "Vary": "Accept-Datetime",
        "Cache-Control": "no-cache",
    }
    return Response(status=302, headers=headers)


def original(path: str) -> str:
    """The header Link that says where the newest rows are, and those of other times."""
    return f'<{_with_query(path)}>; rel="original timegate"'


def _with_query(path: str) -> str:
    """A path with the query of this request, but for the time."""
    query = query_without("as_of")
    return quote(path) + ("?" + quote(query, safe="%!$&'()*+,-./:;=@~") if query else "")


def _moment() -> datetime | None:
    text, header = request.args.get("as_of"), request.headers.get("Accept-Datetime")
    try:
        if text is not None:
            iso = _PLUS.sub(r"\1+\2", text).replace("Z", "+00:00")
            found = datetime.fromisoformat(_FRACTION.sub(lambda part: f".{part[1]:0<6.6}", iso))
            return _in_utc(found if found.tzinfo else found.replace(tzinfo=local_zone()))
        if header is not None:
            found = parsedate_to_datetime(header)
            return _in_utc(found if found.tzinfo else found.replace(tzinfo=timezone.utc))
    except (ValueError, TypeError, OverflowError) as error:
        given, wanted = (header, _HTTP) if text is None else (text, _ISO)
        raise Problem(400, "No such time", f"{wanted}, not {str(given)[:50]!r}.") from error
    return None


def _in_utc(moment: datetime) -> datetime:
    """The same moment, without an offset that PostgreSQL may not know."""
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError:
        return (datetime.max if moment.year > 1 else datetime.min).replace(tzinfo=timezone.utc)


def _too_early(first: datetime | None) -> Problem:
    if first is None:
        return not_built()
    return Problem(
        404,
        "Before the first build",
        f"Nothing was published yet; the first build was at {first.isoformat()}.",
    )
