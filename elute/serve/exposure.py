"""Who can come in without a token."""

import sys

from elute.addresses import is_loopback
from elute.serve.lock import ServeError
from elute.settings import Settings


def require_token_if_exposed(settings: Settings) -> None:
    """Let nobody from other machines in without a token, unless told to.

    Raises:
        ServeError: they could come in.
    """
    if _is_open(settings) and not settings.is_insecure:
        raise ServeError(
            f"ELUTE_HOST is {settings.web_host}, which other machines can reach, and there is no "
            "ELUTE_TOKEN that would keep them from starting builds and replacing files. "
            "Set ELUTE_TOKEN, or ELUTE_INSECURE=1 if that is meant."
        )


def warn_if_exposed(settings: Settings) -> None:
    """Say so if they can come in."""
    if _is_open(settings):
        print(
            f"elute: warning: whoever reaches {settings.web_host} can start builds and replace "
            "files: ELUTE_INSECURE is 1 and ELUTE_TOKEN is not set.",
            file=sys.stderr,
        )


def _is_open(settings: Settings) -> bool:
    return not is_loopback(settings.web_host) and not settings.token
