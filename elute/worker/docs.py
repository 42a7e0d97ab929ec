"""The dbt docs site, made anew when another project has published, and all else is done."""

import json
import logging
import shutil
import time

from dbt_warm import Invocation, WarmDbt

from elute.settings import Settings
from elute.worker import dbt_commands

_TRY_AGAIN_SECONDS = 60.0
logger = logging.getLogger("elute.worker")


class Docs:
    """Keeps `ELUTE_HOME`/docs/index.html; `of.json` beside it says of which project it is.

    It is made by dbt in a child process, which gives way as soon as there is a run to carry out.
    """

    def __init__(self, settings: Settings, dbt: WarmDbt) -> None:
        self._settings, self._dbt = settings, dbt
        self._folder = settings.home / "docs"
        self._described = self._last_described()
        self._describing: str | None = None
        self._not_before = 0.0
        self._invocation: Invocation | None = None

    def active(self) -> list[Invocation]:
        """For `select`."""
        return [self._invocation] if self._invocation else []

    def stop(self) -> None:
        """Stop at once; `advance` begins anew."""
        if self._invocation:
            self._invocation.kill()
            self._invocation = None

    def advance(self, project: str) -> None:
        """Begin what is due, or finish what is done; does not wait.

        Args:
            project: that of the newest build; the site shows nothing of the files.
        """
        if self._invocation is None:
            is_due = project != self._described and time.monotonic() >= self._not_before
            if is_due and self._dbt.is_ready:
                self._describing = project
                self._invocation = dbt_commands.docs(self._dbt, self._settings)
            return
        self._invocation.read()
        outcome = self._invocation.outcome
        if outcome is None:
            return
        self._invocation = None
        if outcome.succeeded:
            self._publish()
        else:
            self._not_before = time.monotonic() + _TRY_AGAIN_SECONDS
            logger.warning("The docs site could not be made: %s", outcome)

    def _last_described(self) -> str | None:
        if not (self._folder / "index.html").exists():
            return None
        try:
            note: dict[str, str] = json.loads(
                (self._folder / "of.json").read_text(encoding="utf-8")
            )
        except (OSError, ValueError):
            return None
        return note.get("project")  # None of an older Elute's.

    def _publish(self) -> None:
        made = self._settings.home / "worker" / "target" / "static_index.html"
        try:
            self._folder.mkdir(exist_ok=True)
            shutil.copyfile(made, self._folder / "index.html.new")
            note = json.dumps({"project": self._describing})
            (self._folder / "of.json.new").write_text(note, encoding="utf-8")
            for name in ("index.html", "of.json"):
                (self._folder / f"{name}.new").replace(self._folder / name)
            self._described = self._describing
        except OSError as error:
            self._not_before = time.monotonic() + _TRY_AGAIN_SECONDS
            logger.warning("The docs site could not be kept: %s", error)
