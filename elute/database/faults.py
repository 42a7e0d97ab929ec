"""What an error of the database means, by its SQLSTATE: its words are in the server's language."""

import errno
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import psycopg2

from elute.errors import ServerError

_DISKS = tuple(f"[Errno {number}]" for number in (errno.ENOSPC, errno.EDQUOT))
_LEAST = 16 << 20  # bytes free that PostgreSQL needs to go on: the next file of its WAL
_SQLSTATE = re.compile(r"\s*\bSQLSTATE (\w{5})\b")  # as dbt-pgcopy writes it


class Fault(NamedTuple):
    """What is wrong with the database, or with the machine, and not with what was asked of it.

    Attributes:
        title: for a heading.
        detail: what is wrong, and what to do.
        ends_sessions: whether it ends sessions, so that the same may succeed in others.
    """

    title: str
    detail: str
    ends_sessions: bool = False


UNREACHABLE = Fault(
    "No database",
    "The database cannot be reached at the moment. Try again shortly; "
    "if it stays away, 'elute check' on the server says why.",
    ends_sessions=True,
)
LOST = UNREACHABLE._replace(detail="A connection to the database was lost.")
ENDED = UNREACHABLE._replace(detail="The database ended a session, or is being stopped or started.")
_FAILED = Fault(
    "The database has failed",
    "The database reports an error in itself, or with its files. Its log says more: that of "
    "Elute's own is in ELUTE_HOME, in postgres/data/log.",
)
_OWN_DISK = Fault(
    "The disk is full", "The disk that holds ELUTE_HOME is full. Make room on it, and try again."
)
# By the beginning of the SQLSTATE; of several the first is told.
_FAULTS = {
    "53100": Fault(
        "The disk is full",
        "The disk that holds the database is full. Make room on it, and try again.",
    ),
    "53200": Fault(
        "Out of memory", "The database has run out of memory. Try again when it has less to do."
    ),
    "53400": Fault(
        "Too much for the database",
        "The database was to keep more aside than it may (temp_file_limit). Have it allow more.",
    ),
    "25006": Fault(
        "The database is read-only",
        "The database takes no changes at the moment, as one that stands by for another does.",
        ends_sessions=True,
    ),
    "25P": ENDED,
    "40": Fault(
        "Busy",
        "Others changed the same at the same moment. Try again.",
        ends_sessions=True,
    ),
    "55P03": Fault("Busy", "What is to be changed is locked for too long. Try again later."),
    "53300": Fault("Busy", "The database takes no more sessions at the moment. Try again shortly."),
    "57014": Fault(
        "Took too long",
        "The database was told to end a query, or took longer than it may. Try again.",
    ),
    "57P": ENDED,
    "08S01": Fault(
        "No Spark server",
        "A connection to Spark was lost, or could not be made.",
        ends_sessions=True,
    ),
    "08001": UNREACHABLE,
    "08": LOST,
    "58": _FAILED,
    "XX": _FAILED,
}


def of_error(error: BaseException | None) -> Fault | None:
    """What an exception means; None if it is about what was asked."""
    if isinstance(error, ServerError):
        fault = of_error(error.__cause__)
        return UNREACHABLE if fault in (None, LOST) else fault
    if not isinstance(error, psycopg2.Error):
        return None
    if error.pgcode:
        return _of_sqlstates([error.pgcode])
    # Of a session that is gone, or never was, psycopg2 has no SQLSTATE to tell.
    is_lost = isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError))
    return LOST if is_lost or type(error) is psycopg2.DatabaseError else None


def of_disk(home: Path) -> Fault | None:
    """That the disk of ELUTE_HOME is full.

    A server on it takes no more sessions then, and of why a session was refused psycopg2 has
    nothing but words.
    """
    try:
        disk = os.statvfs(home)
    except OSError:
        return None
    return _OWN_DISK if disk.f_bavail * disk.f_frsize < _LEAST else None


def of_messages(messages: Iterable[str]) -> Fault | None:
    """What dbt's messages of errors mean."""
    said = "\n".join(messages)
    if any(disk in said for disk in _DISKS):
        return _OWN_DISK
    return _of_sqlstates(_SQLSTATE.findall(said))


def without_sqlstate(message: str) -> str:
    """A message for people."""
    return _SQLSTATE.sub("", message)


def _of_sqlstates(codes: Iterable[str]) -> Fault | None:
    found = tuple(codes)
    return next(
        (fault for start, fault in _FAULTS.items() if any(c.startswith(start) for c in found)), None
    )
