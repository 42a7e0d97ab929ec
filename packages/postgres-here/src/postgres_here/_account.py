"""Whose processes the server's are, and where that account can keep its data.

PostgreSQL refuses to run as root. Started by root, it runs as an ordinary account, which must be
able to enter the folders above its data.
"""

import hashlib
import logging
import os
import pwd
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from postgres_here._errors import AccountError

_LOG = logging.getLogger("postgres_here")


class Account(NamedTuple):
    """A user and a group by their ids."""

    uid: int
    gid: int

    @property
    def is_ours(self) -> bool:
        """Whether this is who we run as."""
        return self.uid == os.geteuid()

    def own(self, path: Path) -> None:
        """Hand a file or folder over to this account, if we are another."""
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
        AccountError: the account does not exist or is root's, or ours has no name.
    """
    if os.geteuid() != 0:
        return _ourselves()
    if data.exists() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid)
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise AccountError(
            f"There is no account {name} on this machine to run PostgreSQL as. "
            "Choose an ordinary account that there is."
        ) from error
    if entry.pw_uid == 0:
        raise AccountError(f"PostgreSQL refuses to run as {name}. Choose an ordinary account.")
    return Account(entry.pw_uid, entry.pw_gid)


def place(folder: Path, account: Account, spare: Path) -> Path:
    """Make the server's folder, and return it without links.

    If the account cannot get there, the folder is made below `spare`, and `folder` becomes a link
    to it. No other folder's permissions are ever widened.
    """
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.is_symlink():  # What it led to has been deleted.
            folder.unlink()
        with suppress(FileExistsError):  # Another start was quicker.
            if account.can_reach(folder.parent):
                folder.mkdir(mode=0o700)
            else:
                _link(folder, spare)
    folder = folder.resolve()
    if not account.is_ours:
        folder.chmod(0o711)
    return folder


def make_spare(spare: Path) -> None:
    """Make the folder that every account can enter."""
    spare.mkdir(parents=True, exist_ok=True)
    spare.chmod(0o755)


def _link(folder: Path, spare: Path) -> None:
    make_spare(spare)
    target = spare / hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    target.mkdir(exist_ok=True)
    folder.symlink_to(target)
    _LOG.warning(
        "PostgreSQL cannot run as root, and no other account can enter %s: its data is kept in %s.",
        folder.parent,
        target,
    )


def _ourselves() -> Account:
    uid, gid = os.geteuid(), os.getegid()
    try:
        pwd.getpwuid(uid)
    except KeyError as error:
        raise AccountError(
            f"PostgreSQL needs a name for the account it runs as, and user id {uid} has none. "
            f"Add a line such as 'postgres:x:{uid}:{gid}::/tmp:/bin/sh' to /etc/passwd, "
            "or run as an account that has one."
        ) from error
    return Account(uid, gid)
