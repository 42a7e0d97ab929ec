"""The data folder: made, and refused where it cannot be used."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from postgres_here import _files, _programs
from postgres_here._account import Account
from postgres_here._errors import FolderError, ServerError, VersionError
from postgres_here._files import Folder
from postgres_here._settings import SHARED_MEMORY

NEEDED_MB = 64


def create(folder: Folder, account: Account, programs: Path, user: str, alive: int) -> None:
    """Make the data folder, and the password file of its superuser, `user`.

    Everything is made in a scratch folder first and moved into place last, so a start that was
    killed leaves nothing that looks whole. `alive` is the descriptor of `alive_lock`, held.

    Raises:
        ServerError: initdb failed; the message says why.
    """
    _check_space(folder)
    scratch = folder.new
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    password = secrets.token_urlsafe(24)
    _files.write(scratch / "password", password, 0o600)
    account.own(scratch / "password")
    account.own(scratch)
    command: list[str | Path] = [
        programs / "initdb",
        f"--pgdata={folder.new_data}",
        f"--username={user}",
        f"--pwfile={scratch / 'password'}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--no-instructions",
        *(f"--set={name}={value}" for name, value in SHARED_MEMORY.items()),
        "--no-sync",  # There is nothing in it yet to lose.
    ]
    try:
        with folder.start_log.open("wb") as log:
            _programs.run(command, account, log, (alive,))
    except subprocess.CalledProcessError as error:
        shutil.rmtree(scratch, ignore_errors=True)
        raise ServerError(_failure(folder)) from error
    _include_settings(folder.new_data / "postgresql.conf")
    _files.write(folder.password, password, 0o600)
    folder.new_data.rename(folder.data)
    shutil.rmtree(scratch)


def make_private(folder: Folder, account: Account) -> None:
    """Mend the owner and the permissions of the data folder, which a restored backup may lack.

    Raises:
        FolderError: they cannot be mended; the message says what to do.
    """
    status = folder.data.stat()
    if status.st_uid != account.uid:
        if os.geteuid() != 0:
            raise FolderError(
                f"{folder.data} belongs to user id {status.st_uid} and PostgreSQL would run as "
                f"{account.uid}, which it refuses. Run as the account that owns it, or use another "
                "folder."
            )
        for path in (folder.data, *folder.data.rglob("*")):
            account.own(path)
    if status.st_mode & 0o077:
        folder.data.chmod(0o700)
        if folder.data.stat().st_mode & 0o077:
            raise FolderError(
                f"PostgreSQL wants {folder.data} closed to other accounts, and its file system has "
                "no permissions. Use a folder on another disk."
            )


def check_version(folder: Folder, programs: Path) -> None:
    """Refuse a data folder that another major version made.

    Raises:
        VersionError: the versions differ; the message says what to do.
    """
    made_by = (folder.data / "PG_VERSION").read_text().strip()
    ours = _programs.major_version(programs)
    if made_by != ours:
        raise VersionError(
            f"The data in {folder.data} was made by PostgreSQL {made_by}, and this is "
            f"PostgreSQL {ours}, which cannot read it. If it can be made again, move {folder.path} "
            "away, or use another folder."
        )


def _check_space(folder: Folder) -> None:
    # initdb on a full disk cannot even write down what is wrong.
    free = shutil.disk_usage(folder.path).free // (1024 * 1024)
    if free < NEEDED_MB:
        raise FolderError(
            f"PostgreSQL needs {NEEDED_MB} MB to begin with, and {folder.path} has {free} MB. "
            "Make room there, or use another folder."
        )


def _failure(folder: Folder) -> str:
    said = folder.start_log.read_text(errors="replace").splitlines()
    reason = next((line for line in said if "error" in line or "FATAL" in line), "no reason given")
    return (
        f"PostgreSQL could not make its data folder in {folder.path}: {reason}. "
        f"All it said is in {folder.start_log}."
    )


def _include_settings(configuration: Path) -> None:
    # The server's account owns this folder, so follow no link that it may have put there.
    descriptor = os.open(configuration, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
    with open(descriptor, "a", encoding="utf-8") as file:  # noqa: PTH123
        file.write("\n# Written at each start.\ninclude '../settings.conf'\n")
