"""Requests to receivers outside: signed as Standard Webhooks say, and never long.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

LIMIT = 10.0  # seconds for an attempt, the whole of it


def receiver(url: str) -> str:
    """What a receiver is called where its address, which may be a secret, is not to be shown."""
    return f"{urlsplit(url).hostname} {hashlib.sha256(url.encode()).hexdigest()[:6]}"


def send(
    url: str, secret: str, message: Mapping[str, Any], limit: float = LIMIT
) -> tuple[bool, str]:
    """POST a message once; whether the receiver has it, and what it answered."""
    moment, identity = str(int(time.time())), f"msg_{message['webhook_id']}"
    told = {
        "type": message["type"],
        "timestamp": message["created_at"].isoformat(),
        "data": message["data"],
    }
    body = json.dumps(told).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Elute",
        "webhook-id": identity,
        "webhook-timestamp": moment,
    }
    if secret:
        headers["webhook-signature"] = signature(secret, identity, moment, body)
    return ask("POST", url, body, headers, limit)


def signature(secret: str, identity: str, moment: str, body: bytes) -> str:
    """What shows the receiver that a body, with these headers, is from who knows the secret."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.digest(key, f"{identity}.{moment}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(signed).decode()}"


def ask(
    method: str,
    url: str,
    body: bytes | None = None,
    headers: Mapping[str, str] = {},
    limit: float = LIMIT,
) -> tuple[bool, str]:
    """One request; whether the answer is 2xx, and what it is. No redirect is followed."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=limit)
    # The timeout is for each part of an answer, and there may be many.
    timer = threading.Timer(limit, _hang_up, [connection])
    timer.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, dict(headers))
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        is_late = isinstance(error, TimeoutError) or timer.finished.is_set()
        reason = getattr(error, "strerror", None) or type(error).__name__
        return False, f"no answer within {limit:g} s" if is_late else reason
    else:
        return 200 <= status < 300, f"HTTP {status}"
    finally:
        timer.cancel()
        connection.close()


def _hang_up(connection: HTTPConnection) -> None:
    with suppress(OSError, AttributeError):  # It may not be connected yet, or no more.
        connection.sock.shutdown(socket.SHUT_RDWR)
