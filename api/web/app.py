"""The Flask app; api.serve.web serves it."""

from importlib import import_module

from flask import Flask

from api.settings import Settings
from api.web import access, logs, pool, problems

# Modules with a `blueprint`, each with its own routes.
BLUEPRINTS = (
    "api.web.marts.routes",
    "api.web.runs",
    "api.web.trigger",
    "api.web.events",
    "api.web.inputs",
    "api.web.health",
    "api.web.metrics",
    "api.web.dashboard",
    "api.web.docs_site",
    "api.web.openapi",
)
LARGEST_BODY = 1024 * 1024  # bytes; an upload of a file sets its own limit


def create_app(settings: Settings | None = None) -> Flask:
    """Make the app. It touches no database before the first request that needs one.

    Views find the settings in `current_app.config["SETTINGS"]`.

    Raises:
        SettingsError: a setting cannot be used.
    """
    settings = settings or Settings.from_environment()
    app = Flask("api.web", static_folder=None)
    app.config["SETTINGS"] = settings
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.json.sort_keys = False  # type: ignore[attr-defined]
    logs.configure(settings)
    pool.configure(settings)
    problems.init_app(app)
    logs.init_app(app)
    access.init_app(app, settings)
    for name in BLUEPRINTS:
        app.register_blueprint(import_module(name).blueprint)
    return app
