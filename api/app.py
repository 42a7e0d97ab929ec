"""The Flask app; dashboard.server serves it."""

from datetime import datetime
from typing import Any

from flask import Flask, Response, request
from flask.json.provider import DefaultJSONProvider
from flask_cors import CORS
from werkzeug.http import parse_date
from werkzeug.middleware.proxy_fix import ProxyFix

from api import (
    access,
    access_log,
    audit,
    builds,
    changes,
    compression,
    events,
    health,
    histogram,
    inputs,
    measuring,
    messages,
    metrics,
    openapi,
    problems,
    runs,
    trigger,
)
from api.database import Database
from api.marts import routes
from api.marts.sending import has_client_gone
from elute import logs
from elute.settings import Settings

RESOURCES = (
    routes, builds, changes, histogram, runs, trigger, audit, messages, events, inputs, health,
    metrics, openapi,
)  # fmt: skip
# Of all answers but the pages, which have their own policy.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
# What a page of another site may look at, beside what every page may.
EXPOSED_HEADERS = (
    "Content-Range", "ETag", "Link", "Location", "Memento-Datetime", "Preference-Applied",
    "Retry-After", "Server-Timing", "WWW-Authenticate", "X-Request-Id",
)  # fmt: skip
LARGEST_BODY = 1024 * 1024  # bytes; an upload of a file sets its own limit


def create_app(settings: Settings) -> Flask:
    """Make the app. It touches no database before the first request that needs one.

    Views find the settings in `current_app.config["SETTINGS"]`.
    """
    app = Flask("api", static_folder=None)
    app.config["SETTINGS"] = settings
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.default = _as_json  # type: ignore[attr-defined]
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=count, x_proto=count, x_host=count, x_prefix=count
        )
    compression.init_app(app)
    if settings.cors_origins:
        CORS(app, origins=settings.cors_origins, expose_headers=EXPOSED_HEADERS, max_age=600)
    logs.configure(settings, request_id=access_log.request_id)
    measuring.init_app(app)
    problems.init_app(app)
    access_log.init_app(app, settings)
    access.init_app(app)
    app.before_request(_skip_what_nobody_awaits)
    app.before_request(_ignore_absurd_dates)
    app.extensions["database"] = Database(settings)
    for resource in RESOURCES:
        app.register_blueprint(resource.blueprint)
    app.after_request(_with_headers)
    if settings.cors_origins:
        # Flask-CORS adds it for these origins only, but a cache could give them others' answers.
        app.after_request(lambda response: response.vary.add("Origin") or response)
    return app


def _skip_what_nobody_awaits() -> Response | None:
    """Drop a request whose client left while it waited for a thread: its queries hold up others'.

    Only logs see the status, which is nginx's.
    """
    if request.method in ("GET", "HEAD") and has_client_gone()():
        return Response(status=499)
    return None


def _ignore_absurd_dates() -> None:
    """Werkzeug ignores what is no date, but fails on a year that no date can have."""
    for name in ("HTTP_IF_MODIFIED_SINCE", "HTTP_IF_UNMODIFIED_SINCE", "HTTP_IF_RANGE"):
        if name in request.environ and _is_absurd(request.environ[name]):
            request.environ[name] = "no date"


def _is_absurd(date: str) -> bool:
    try:
        parse_date(date)
    except OverflowError:
        return True
    return False


def _as_json(value: Any) -> Any:
    """What JSON has no type for: times as ISO 8601 writes them, all else as Flask does."""
    return value.isoformat() if isinstance(value, datetime) else DefaultJSONProvider.default(value)


def _with_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
