"""The time zone of this machine, with its changes to and from summer time.

`datetime.astimezone` knows only the offset that holds now.
"""

import os
from contextlib import suppress
from datetime import tzinfo
from io import BytesIO
from pathlib import Path
from struct import pack
from zoneinfo import ZoneInfo

from elute.errors import SettingsError


def local_zone() -> tzinfo:
    """That of TZ: a name, a file, or a rule such as CET-1CEST,M3.5.0,M10.5.0/3; else the system's.

    Raises:
        SettingsError: there is no such zone.
    """
    name = os.environ.get("TZ", "").lstrip(":")
    try:
        if name and not name.startswith("/"):
            return _named(name)
        return _of_file(Path(name or "/etc/localtime"))
    except (OSError, ValueError, KeyError) as error:
        if not name:  # A system that says nothing of its zone has UTC.
            return ZoneInfo("UTC")
        raise SettingsError(
            f"TZ is {name!r}, and there is no such time zone; one is Europe/Berlin, for example."
        ) from error


def _named(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        is_whole = "," in name or not name[-1:].isalpha()
        # Which are the days that change, where the rule does not say, as in glibc.
        return _of_rule(name if is_whole else f"{name},M3.2.0,M11.1.0")


def _of_rule(rule: str) -> tzinfo:
    """The zone of a rule of POSIX, which stands at the end of a TZif file (RFC 8536)."""
    head = b"TZif2" + bytes(15) + pack(">6I", 0, 0, 0, 0, 1, 4)
    block = head + bytes(6) + b"UTC\0"
    return ZoneInfo.from_file(BytesIO(2 * block + f"\n{rule}\n".encode()), rule)


def _of_file(path: Path) -> tzinfo:
    _, found, name = str(path.resolve()).partition("zoneinfo/")
    if found:
        with suppress(ValueError, KeyError, OSError):  # a zone that this machine alone has
            return ZoneInfo(name)
    with path.open("rb") as file:
        return ZoneInfo.from_file(file)
