"""`elute check`: not written yet."""

from api.errors import EluteError
from api.settings import Settings


def run(settings: Settings, arguments: list[str]) -> int:  # noqa: ARG001
    """Say that there is nothing here yet."""
    raise EluteError("'elute check' does not exist yet.")
