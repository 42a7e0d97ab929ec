"""What Elute writes is for the account that it runs as, and nobody else on the machine."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

_FOLDERS = ("docs", "kept-files", "logs", "target", "uploads", "worker")


def keep_private(home: Path) -> None:
    """From now on, make files and folders that no other account can open.

    The home itself is made as usual, for root's PostgreSQL runs as another account in it.
    """
    with suppress(OSError):  # Whoever writes there says why it cannot be.
        home.mkdir(parents=True, exist_ok=True)
    os.umask(0o077)
    for name in _FOLDERS:  # as an older Elute has left them
        with suppress(OSError):
            (home / name).chmod(0o700)


def own_token(home: Path) -> str:
    """The token in a file that only this account can read; made if there is none.

    Raises:
        OSError: it cannot be read or made.
        UnicodeError: it is not in ASCII.
    """
    path = home / "token"
    path.touch(0o600)
    path.chmod(0o600)  # if it was there
    token = path.read_text(encoding="ascii").strip()
    if not token:  # The file is new, or a full disk has left it so.
        token = secrets.token_hex(16)
        path.write_text(token + "\n", encoding="ascii")
    return token
