"""The dbt docs site, made anew after each published build, when there is nothing else to do."""

import json
import logging
import shutil
import time
from pathlib import Path
from typing import Any

from elute.settings import Settings
from elute.worker.dbt_processes import DbtProcesses
from elute.worker.invocation import Invocation
from elute.worker.jobs import docs_job

_TRY_AGAIN_SECONDS = 60.0
logger = logging.getLogger("elute.worker")


class Docs:
    """Keeps `ELUTE_HOME`/docs/index.html; `of.json` beside it says which build it is of.

    It is made by dbt in a child process, which gives way as soon as there is a run to carry out.
    """

    def __init__(self, settings: Settings, dbt: DbtProcesses) -> None:
        self._settings, self._dbt = settings, dbt
        self._published: str | None = None  # when, of the latest build that we know of
        self._described = self._last_described()
        self._describing: str | None = None
        self._not_before = 0.0
        self._invocation: Invocation | None = None
        self._messages: list[dict[str, Any]] = []

    @property
    def folder(self) -> Path:
        """Where the site is."""
        return self._settings.home / "docs"

    def are_of(self, published: str | None) -> None:
        """The latest build was published at this moment, by whomever; None if there is none."""
        self._published = published

    def going_on(self) -> list[Invocation]:
        """For `select`."""
        return [self._invocation] if self._invocation else []

    def give_way(self) -> None:
        """Stop at once; it will begin anew."""
        if self._invocation:
            self._invocation.kill()
            self._invocation.close()
            self._invocation = None

    def go_on(self) -> None:
        """Begin what is due, or finish what is done; does not wait."""
        if self._invocation is None:
            is_due = self._published != self._described and time.monotonic() >= self._not_before
            if is_due and self._dbt.is_ready:
                self._messages.clear()
                self._describing = self._published
                self._invocation = self._dbt.invoke(docs_job(self._settings))
            return
        self._messages += self._invocation.messages()
        if not self._invocation.has_ended:
            return
        self._invocation.close()
        self._invocation = None
        outcome = next((m["outcome"] for m in self._messages if "outcome" in m), None)
        if outcome and outcome["succeeded"]:
            self._publish()
        else:
            self._not_before = time.monotonic() + _TRY_AGAIN_SECONDS
            logger.warning("The docs site could not be made: %s", outcome)

    def _last_described(self) -> str | None:
        if not (self.folder / "index.html").exists():
            return None
        try:
            note = json.loads((self.folder / "of.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return str(note["published_at"])

    def _publish(self) -> None:
        made = self._settings.home / "worker" / "target" / "static_index.html"
        try:
            self.folder.mkdir(exist_ok=True)
            shutil.copyfile(made, self.folder / "index.html.new")
            note = json.dumps({"published_at": self._describing})
            (self.folder / "of.json.new").write_text(note, encoding="utf-8")
            for name in ("index.html", "of.json"):
                (self.folder / f"{name}.new").replace(self.folder / name)
            self._described = self._describing
        except OSError as error:
            self._not_before = time.monotonic() + _TRY_AGAIN_SECONDS
            logger.warning("The docs site could not be kept: %s", error)
