"""Gunicorn as a child of `elute serve`: it ends when standard input does, with its parent."""

import os
import signal
import threading
from typing import Any

from api.serve.gunicorn_settings import *  # noqa: F403


def post_worker_init(_worker: Any) -> None:
    """In the process that serves, for the one above it has to stay without threads to fork."""
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    os.read(0, 1)
    os.kill(os.getppid(), signal.SIGTERM)
