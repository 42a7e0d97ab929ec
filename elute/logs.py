"""What is written down: by the service, as text or JSON lines, and by commands in a terminal."""

import json
import logging
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from logging.handlers import RotatingFileHandler
from pathlib import Path
from urllib.parse import quote

from elute.settings import Settings

_KEPT = 3  # old files beside the one being written
_MOST_BYTES = 10_000_000
_SHORTEST_SECRET = 4  # Anything shorter is part of other words.


class _Formatter(logging.Formatter):
    """Formats a record, and blots out the secrets wherever they come from."""

    def __init__(
        self, settings: Settings, request_id: Callable[[], str | None] = lambda: None
    ) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self._request_id = request_id
        secrets = [
            *settings.tokens, settings.read_token, settings.password, *settings.webhook_urls,
            *settings.apprise_urls, settings.webhook_secret, settings.ping_url,
        ]  # fmt: skip
        known = [secret for secret in secrets if secret and len(secret) >= _SHORTEST_SECRET]
        written = [as_text(secret) for secret in known for as_text in (_in_json, quote)]
        self._secrets = sorted({*known, *written}, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        line = self.written(record)
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return line

    def written(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        request_id = self._request_id()
        return f"{line} [request {request_id}]" if request_id else line


class _JsonFormatter(_Formatter):
    """One JSON object a line: time, level, logger, message, and what the record has beside it."""

    def written(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, timezone.utc)
        fields = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if request_id := self._request_id():
            fields["request_id"] = request_id
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def configure(
    settings: Settings, name: str = "web", request_id: Callable[[], str | None] = lambda: None
) -> None:
    """Send what Elute and dbt-warm log to standard error and a file.

    Each process that runs for long has a file of its own, `logs/<name>.log` below ELUTE_HOME,
    because two cannot rotate one. Where it cannot be written, there is none. `request_id` gives
    that of the request that is being answered, if any.
    """
    kind = _JsonFormatter if settings.log_format == "json" else _Formatter
    formatter = kind(settings, request_id)
    handlers = _handlers(settings, name)
    for handler in handlers:
        handler.setFormatter(formatter)
    for logger in map(logging.getLogger, ("elute", "dbt_warm")):
        for handler in [*logger.handlers]:
            logger.removeHandler(handler)
            handler.close()
        for handler in handlers:
            logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    logging.getLogger("elute").propagate = False


def write(settings: Settings, message: str, error: BaseException | None = None) -> Path:
    """Add what would only disturb in a terminal to a log file, and where an error came from.

    Returns:
        the file.

    Raises:
        OSError: it cannot be written.
    """
    path = settings.home / "logs" / "elute.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(path, maxBytes=1_000_000, backupCount=_KEPT, encoding="utf-8")
    handler.setFormatter(_Formatter(settings))
    logger = logging.Logger("elute")  # of its own: nothing else gets into this file
    logger.addHandler(handler)
    logger.error("%s", message, exc_info=error)
    handler.close()
    return path


class _FileHandler(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """Overridden for a full disk: standard error has the line, and no traceback for each."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def _handlers(settings: Settings, name: str) -> list[logging.Handler]:
    stderr = logging.StreamHandler(sys.stderr)
    folder = settings.home / "logs"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _FileHandler(
            folder / f"{name}.log", maxBytes=_MOST_BYTES, backupCount=_KEPT, encoding="utf-8"
        )
    except OSError:
        return [stderr]
    return [stderr, file]
