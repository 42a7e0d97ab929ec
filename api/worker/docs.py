"""The dbt docs site, made anew after each published build, when there is nothing else to do."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

from api.settings import Settings
from api.worker.dbt_processes import DbtProcesses
from api.worker.invocation import Invocation
from api.worker.jobs import docs_job

logger = logging.getLogger("elute.worker")


class Docs:
    """Keeps `ELUTE_HOME`/docs/index.html; `run.json` beside it says which run it is of.

    It is made by dbt in a child process, which gives way as soon as there is a run to carry out.
    """

    def __init__(self, settings: Settings, dbt: DbtProcesses) -> None:
        self._settings, self._dbt = settings, dbt
        self._due: int | None = None  # the run to describe
        self._is_due = False
        self._invocation: Invocation | None = None
        self._messages: list[dict[str, Any]] = []

    @property
    def folder(self) -> Path:
        """Where the site is."""
        return self._settings.home / "docs"

    @property
    def are_there(self) -> bool:
        """Whether there is a site, if perhaps of an earlier build."""
        return (self.folder / "index.html").exists()

    def are_due(self, run_id: int | None) -> None:
        """This run has published; None if a build did that is in no history."""
        self._due = run_id
        self._is_due = True

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
            if self._is_due and self._dbt.is_ready:
                self._messages.clear()
                self._invocation = self._dbt.invoke(docs_job(self._settings))
            return
        self._messages += self._invocation.messages()
        if not self._invocation.has_ended:
            return
        self._invocation.close()
        self._invocation, self._is_due = None, False
        outcome = next((m["outcome"] for m in self._messages if "outcome" in m), None)
        if outcome and outcome["succeeded"]:
            self._publish(self._due)
        else:
            logger.warning("The docs site could not be made: %s", outcome)

    def _publish(self, run_id: int | None) -> None:
        made = self._settings.home / "worker" / "target" / "static_index.html"
        try:
            self.folder.mkdir(exist_ok=True)
            shutil.copyfile(made, self.folder / "index.html.new")
            (self.folder / "run.json.new").write_text(json.dumps({"run_id": run_id}))
            for name in ("index.html", "run.json"):
                (self.folder / f"{name}.new").replace(self.folder / name)
        except OSError as error:
            logger.warning("The docs site could not be kept: %s", error)
