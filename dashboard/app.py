"""The app as it is served: the HTTP API, and the pages over it."""

from flask import Flask

from api import app
from dashboard import assets, docs_site, pages, sign_in
from elute.settings import Settings


def create_app(settings: Settings) -> Flask:
    """Make the app. It touches no database before the first request that needs one."""
    made = app.create_app(settings)
    made.config["SIGN_IN_ENDPOINT"] = "sign_in.sign_in_form"
    for blueprint in (pages.blueprint, sign_in.blueprint, assets.blueprint, docs_site.blueprint):
        made.register_blueprint(blueprint)
    return made
