"""One `elute serve` for each home, and one program for each port."""

import errno
import fcntl
import ipaddress
import json
import os
import socket
import time
from contextlib import closing
from http.client import HTTPConnection

from elute.addresses import is_address
from elute.errors import EluteError
from elute.settings import Settings

# A server that was killed leaves its children a moment to end.
_LEFTOVERS_SECONDS = 15.0


class ServeError(EluteError):
    """`elute serve` cannot start, or cannot go on."""


def address(settings: Settings) -> str:
    """Where a browser on this machine finds the service."""
    host = settings.web_host
    if is_address(host) and ipaddress.ip_address(host).is_unspecified:
        host = "127.0.0.1" if "." in host else "::1"
    if ":" in host:
        host = f"[{host}]"
    return f"http://{host}:{settings.web_port}"


def health(settings: Settings, seconds: float) -> int:
    """The status with which the web app answers whether it lives.

    Args:
        settings: where it listens.
        seconds: how long to wait for it.

    Raises:
        OSError, HTTPException: it does not answer.
    """
    host = address(settings).removeprefix("http://")
    with closing(HTTPConnection(host, timeout=seconds)) as web:
        web.request("GET", "/health/live")
        response = web.getresponse()
        response.read()
        return response.status


def lock_home(settings: Settings) -> int:
    """Take the home's lock, for as long as the descriptor returned is open here or in a child.

    Raises:
        ServeError: another one serves from this home; the message says where.
    """
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(settings.home / "serve.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ServeError(
            f"Elute cannot write to {settings.home} (ELUTE_HOME): {error.strerror}. "
            "Set ELUTE_HOME to a folder that it may write to."
        ) from error
    deadline = time.monotonic() + _LEFTOVERS_SECONDS
    while not _try(descriptor):
        pid, where = _holder(descriptor)
        if _lives(pid) or time.monotonic() > deadline:
            raise ServeError(
                f"Elute already serves {settings.home}, at {where} (process {pid}). "
                "Stop that one first, or set ELUTE_HOME and ELUTE_PORT for another."
            )
        time.sleep(0.1)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps([os.getpid(), address(settings)]).encode(), 0)
    return descriptor


def listen(settings: Settings) -> list[socket.socket]:
    """Listen on the address of the service; with 127.0.0.1, also on ::1, if there is IPv6.

    Raises:
        ServeError: it cannot be listened on; the message says why.
    """
    listeners = [_listen(settings.web_host, settings.web_port)]
    if settings.web_host in ("127.0.0.1", "localhost"):
        try:
            listeners.append(_listen("::1", settings.web_port))
        except ServeError as error:
            # Without IPv6 nobody is there either, but another program would be asked in our place.
            if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE:
                listeners[0].close()
                raise
    return listeners


def _listen(host: str, port: int) -> socket.socket:
    # A name such as localhost is one of IPv4 first.
    family = socket.AF_UNSPEC if is_address(host) else socket.AF_INET
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ServeError(_why_not(host, port, error)) from error
    try:
        # A connection that has just ended does not keep the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise ServeError(_why_not(host, port, error)) from error
    return listener


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is taken by another program. "
            "Stop that one, or set ELUTE_PORT to another port."
        )
    if error.errno == errno.EACCES:
        return f"This account may not listen on port {port}. Set ELUTE_PORT to one above 1023."
    return (
        f"Elute cannot listen on {host} (ELUTE_HOST), port {port}: {error.strerror or error}. "
        "Set ELUTE_HOST to an address of this machine."
    )


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> tuple[int, str]:
    try:
        pid, where = json.loads(os.pread(descriptor, 1000, 0))
        return int(pid), str(where)
    except ValueError:  # It has just taken the lock and not yet said so.
        return 0, "an unknown address"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != 0
