"""Who can come in without a token."""

import sys

from elute.addresses import is_loopback
from elute.serve.lock import ServeError
from elute.settings import Settings

LEAST_TOKEN = 16  # characters of one that cannot be guessed


def require_token_if_exposed(settings: Settings) -> None:
    """Let nobody from other machines in without a token, unless told to.

    Raises:
        ServeError: they could come in.
    """
    problem = _problem(settings)
    if problem and not settings.is_insecure:
        raise ServeError(
            f"ELUTE_HOST is {settings.web_host}, which other machines can reach, and {problem} "
            "`openssl rand -hex 16` makes a token. Or set ELUTE_INSECURE=1 if that is meant."
        )


def warn_if_exposed(settings: Settings) -> None:
    """Say who can come in."""
    if is_loopback(settings.web_host):
        return
    problem = _problem(settings)
    if problem:
        _warn(f"others can reach {settings.web_host} (ELUTE_INSECURE is 1), and {problem}")
    elif not settings.read_token:
        _warn(f"whoever reaches {settings.web_host} can read: ELUTE_READ_TOKEN is not set.")


def _warn(text: str) -> None:
    print(f"elute: warning: {text}", file=sys.stderr)


def _problem(settings: Settings) -> str | None:
    """What would let others in who may not, as a sentence's end and what to do."""
    if is_loopback(settings.web_host):
        return None
    if not settings.tokens:
        others = "those who may read (ELUTE_READ_TOKEN)" if settings.read_token else "them"
        return (
            f"there is no ELUTE_TOKEN that would keep {others} from starting builds and replacing "
            "files. Set ELUTE_TOKEN."
        )
    tokens = dict.fromkeys(settings.tokens, "ELUTE_TOKEN")
    if settings.read_token:
        tokens[settings.read_token] = "ELUTE_READ_TOKEN"
    for token, name in tokens.items():
        if len(token) < LEAST_TOKEN:
            return f"{name} can be guessed. Make it {LEAST_TOKEN} characters long or longer."
    return None
