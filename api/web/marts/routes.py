"""Where the marts are served."""

from flask import Blueprint

blueprint = Blueprint("marts", __name__)
