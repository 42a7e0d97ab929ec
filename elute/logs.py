"""What the service writes down: on standard error, as text or JSON lines, and in a rotated file."""

import json
import logging
import sys
import time
from datetime import datetime, timezone
from logging.handlers import RotatingFileHandler
from urllib.parse import quote

from flask import Flask, Response, g, has_request_context, request

from elute.settings import Settings

ACCESS = logging.getLogger("elute.access")
_KEPT = 3  # old files beside the one being written
_MOST_BYTES = 10_000_000
_SHORTEST_SECRET = 4  # Anything shorter is part of other words.


class _Formatter(logging.Formatter):
    """Formats a record, and blots out the secrets wherever they come from."""

    def __init__(self, secrets: list[str]) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        written = [as_text(secret) for secret in secrets for as_text in (_in_json, quote)]
        self._secrets = sorted({*secrets, *written}, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        line = self.written(record)
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return line

    def written(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        request_id = _request_id()
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
        if request_id := _request_id():
            fields["request_id"] = request_id
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def _request_id() -> str | None:
    """That of the request that is being answered."""
    return g.get("request_id") if has_request_context() else None


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def configure(settings: Settings, name: str = "web") -> None:
    """Send what Elute and dbt-warm log to standard error and a file.

    Each process that runs for long has a file of its own, `logs/<name>.log` below ELUTE_HOME,
    because two cannot rotate one. Where it cannot be written, there is none.
    """
    secrets = [
        *settings.tokens, settings.read_token, settings.password,
        *settings.webhook_urls, *settings.apprise_urls, settings.webhook_secret, settings.ping_url,
    ]  # fmt: skip
    known = [secret for secret in secrets if secret and len(secret) >= _SHORTEST_SECRET]
    formatter = (_JsonFormatter if settings.log_format == "json" else _Formatter)(known)
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
    # Not for a person at a terminal, who did each request; and a line costs as much as a query.
    ACCESS.disabled = settings.log_format == "text"


def init_app(app: Flask) -> None:
    """Write a line about every request, when its answer begins; see `configure`."""
    if ACCESS.disabled:
        return

    @app.after_request
    def note(response: Response) -> Response:
        seconds = time.perf_counter() - g.get("arrived_at", time.perf_counter())
        milliseconds = round(seconds * 1000, 1)
        target = request.full_path if request.query_string else request.path
        ACCESS.info(
            "%s %s %s %s ms",
            request.method,
            target,
            response.status_code,
            milliseconds,
            extra={
                "fields": {
                    "method": request.method,
                    "path": request.path,
                    "status": response.status_code,
                    "milliseconds": milliseconds,
                    "bytes": response.content_length,
                    "client": request.remote_addr,
                    "user_agent": request.headers.get("User-Agent"),
                }
            },
        )
        return response


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
