"""The log file of commands in a terminal, for what would only disturb there."""

import logging
from logging.handlers import RotatingFileHandler

from elute.settings import Settings


def write(settings: Settings, message: str, error: BaseException | None = None) -> None:
    """Add a message to the log file, and where an error came from.

    Raises:
        OSError: it cannot be written.
    """
    settings.log_file.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(
        settings.log_file, maxBytes=1_000_000, backupCount=3, encoding="utf-8"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger = logging.Logger("elute")  # of its own: nothing else gets into this file
    logger.addHandler(handler)
    logger.error("%s", message, exc_info=error)
    handler.close()
