"""The disk of the server: what receives or makes large files leaves some of it free."""

import shutil
from pathlib import Path

from api.problems import Problem

RESERVE = 100_000_000  # bytes that stay free


def require_room(folder: Path, length: int = 0) -> None:
    """Refuse to fill the disk.

    Args:
        folder: where something is to be written.
        length: how much, in bytes.

    Raises:
        Problem: 507, the reserve would be used up.
    """
    if shutil.disk_usage(folder).free < length + RESERVE:
        raise no_room()


def no_room() -> Problem:
    """There is no place for what is to be written."""
    return Problem(
        507,
        "The disk is full",
        "There is not enough room on the server's disk for this. Make room and try again.",
    )
