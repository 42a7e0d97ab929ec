"""The dashboard: pages that a browser fills from the HTTP API, and what they need besides."""

from flask import Blueprint

blueprint = Blueprint("dashboard", __name__, template_folder="templates")

from api.web.dashboard import assets, downloads, histogram, pages, sign_in  # noqa: E402, F401
