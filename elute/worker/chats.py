"""Messages in words, to mail and chats: by Apprise, which requirements-apprise.txt locks.

https://github.com/caronc/apprise
"""

import hashlib
import logging
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from elute.extras import how_to_install
from elute.worker.webhooks import LIMIT

_TITLES = {
    "run.failed": ("A run failed", "failure"),
    "run.recovered": ("Runs succeed again", "success"),
    "build.published": ("A build was published", "info"),
    "data.dropped_rose": ("More records were dropped", "warning"),
}


def receiver(url: str) -> str:
    """What a receiver is called where its address is not shown: even its host may be a token."""
    return f"{url.partition('://')[0]} {hashlib.sha256(url.encode()).hexdigest()[:6]}"


def send(url: str, message: Mapping[str, Any], limit: float = LIMIT) -> tuple[bool, str]:
    """Tell a message once; whether that went well, and what there is to say of it."""
    try:
        import apprise  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        return False, f"Apprise is not installed: {how_to_install('apprise')}"
    logging.getLogger("apprise").propagate = False  # What it says may hold the address.
    title, kind = _TITLES[message["type"]]
    channels = apprise.Apprise(asset=apprise.AppriseAsset(app_id="Elute", async_mode=False))
    with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as said:  # type: ignore[no-untyped-call]
        if channel := apprise.Apprise.instantiate(url):
            channel.socket_connect_timeout = channel.socket_read_timeout = limit
            channels.add(channel)
        is_told = channels and channels.notify(
            message["data"]["message"],
            f"Elute: {title}",
            kind,
            body_format=apprise.NotifyFormat.TEXT,
        )
        why = said.getvalue()
    return bool(is_told), "told" if is_told else _without_secrets(why, url)[:300] or "not told"


def _without_secrets(text: str, url: str) -> str:
    """A text in one line, without any part of the address but how it begins."""
    line = " ".join(text.split())
    parts = re.split(r"[/?&=:@+,]+", url)[1:]
    for secret in sorted({*parts, *map(unquote, parts)}, key=len, reverse=True):
        line = line.replace(secret, "…") if len(secret) > 3 else line
    return line
