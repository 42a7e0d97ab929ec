"""Whose processes the server's are, and where that account can keep its data.

PostgreSQL refuses to run as root. Started by root, it runs as an ordinary account (`nobody`
unless told otherwise), which must be able to enter the folders above its data.
"""

import hashlib
import os
import pwd
import sys
from pathlib import Path
from typing import Any, NamedTuple

from api.errors import ServerError

# For a home below a folder that only root can enter, such as /root.
SHARED = Path("/var/lib/elute")


class Account(NamedTuple):
    """A user and a group by their ids."""

    uid: int
    gid: int

    @property
    def is_ours(self) -> bool:
        """Whether this is who we run as."""
        return self.uid == os.geteuid()

    def own(self, path: Path) -> None:
        """Hand a file or folder that we made over to this account."""
        if not self.is_ours:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def as_process(self) -> dict[str, Any]:
        """Arguments that make `subprocess` run a program as this account."""
        if self.is_ours:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_reach(self, path: Path) -> bool:
        """Whether this account may pass through every folder down to `path`, and enter it."""
        return self.is_ours or all(self._may_pass(step) for step in (path, *path.parents))

    def _may_pass(self, path: Path) -> bool:
        status = path.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        return bool(status.st_mode & (0o010 if status.st_gid == self.gid else 0o001))


def server_account(name: str, data: Path) -> Account:
    """Who runs the server: us; for root the owner of its data, and the named account at first.

    Raises:
        ServerError: the account does not exist or is root's, or ours has no name.
    """
    if os.geteuid() != 0:
        return _ourselves()
    if data.exists() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid)
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise ServerError(_unknown(name)) from error
    if entry.pw_uid == 0:
        raise ServerError(f"PostgreSQL refuses to run as {name}. {_CHOOSE}")
    return Account(entry.pw_uid, entry.pw_gid)


def place(home: Path, account: Account) -> Path:
    """The folder for the server: `home`/postgres, or where that leads.

    If the account cannot get there, the folder is made below /var/lib/elute and
    `home`/postgres becomes a link to it. No folder's permissions are ever widened.
    """
    folder = home / "postgres"
    if not folder.exists():
        home.mkdir(parents=True, exist_ok=True)
        if folder.is_symlink():  # What it led to has been deleted.
            folder.unlink()
        if account.can_reach(home):
            folder.mkdir(mode=0o700)
        else:
            _link(folder)
    folder = folder.resolve()
    if not account.is_ours:
        folder.chmod(0o711)
    return folder


def _link(folder: Path) -> None:
    shared = SHARED / hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    shared.mkdir(parents=True, exist_ok=True)
    SHARED.chmod(0o755)
    folder.symlink_to(shared)
    print(
        f"PostgreSQL cannot run as root, and no other account can enter {folder.parent}: "
        f"its data is kept in {shared}.",
        file=sys.stderr,
    )


def _ourselves() -> Account:
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError as error:
        raise ServerError(_nameless(os.geteuid(), os.getegid())) from error
    return Account(os.geteuid(), os.getegid())


_CHOOSE = (
    "Set ELUTE_POSTGRES_USER to an ordinary account, or PGHOST to a PostgreSQL server that is "
    "running already."
)


def _unknown(name: str) -> str:
    return f"There is no account {name} on this machine to run PostgreSQL as. {_CHOOSE}"


def _nameless(uid: int, gid: int) -> str:
    return (
        f"PostgreSQL needs a name for the account it runs as, and user id {uid} has none. "
        f"Add a line such as 'elute:x:{uid}:{gid}::/tmp:/bin/sh' to /etc/passwd, "
        "run as an account that has one, or set PGHOST to a PostgreSQL server."
    )
