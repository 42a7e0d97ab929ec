"""Running dbt for the worker: warm where it can, cold where it cannot."""

import json
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Mapping

from elute.settings import CHECKOUT
from elute.worker.child import Job
from elute.worker.invocation import Invocation
from elute.worker.signature import project_signature
from elute.worker.warm_client import WarmDbt, python_environment

_TRY_AGAIN_SECONDS = 300.0  # after dbt could not be kept loaded
logger = logging.getLogger("elute.worker")


class DbtProcesses:
    """Warm dbt, renewed when the project's files change, and cold dbt for want of it.

    Args:
        environment: variables for the process that parses the project.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._warm: WarmDbt | None = None
        self._next: WarmDbt | None = None
        self._prepared_at = 0.0
        self._parsed = ""  # signature of the project for which the latest one was started

    def start(self) -> None:
        """Begin to load dbt, if nobody has."""
        if self._warm is None:
            self._warm = self._prepare()

    def stop(self) -> None:
        """End all processes but a child at work, which ends when its channel is closed."""
        for warm in (self._warm, self._next):
            if warm:
                warm.stop()
        self._warm = self._next = None

    @property
    def is_ready(self) -> bool:
        """Whether it is known by now how a job will be run."""
        if self._warm is None:
            return False
        self._warm.look()
        return self._warm.is_settled

    @property
    def reason(self) -> str | None:
        """Why dbt runs cold; None if it does not."""
        return self._warm.reason if self._warm else None

    @property
    def pid(self) -> int | None:
        """The process of warm dbt."""
        return self._warm.pid if self._warm else None

    def being_prepared(self) -> list[WarmDbt]:
        """For `select`: readable when there is something to look at."""
        return [warm for warm in (self._warm, self._next) if warm and not warm.is_settled]

    def invoke(self, job: Job) -> Invocation:
        """Start a job, warm if possible. Only one at a time."""
        if self._warm and self._warm.reason is None:
            try:
                return self._warm.start(job)
            except OSError as error:
                self._warm.reason = f"its process is gone ({error})"
        return _start_cold(job)

    def renew(self) -> None:
        """Have another warm dbt take over when the project has changed or this one is gone.

        For idle moments; does not wait.
        """
        if self._warm is None or not self.is_ready:
            return
        if self._next is None:
            if self._must_be_renewed(self._warm):
                logger.info("The project has changed, or dbt's process is gone: loading it anew.")
                self._next = self._prepare()
            return
        self._next.look()
        if self._next.is_settled:
            self._warm.stop()
            self._warm, self._next = self._next, None

    def _must_be_renewed(self, warm: WarmDbt) -> bool:
        if warm.is_gone or project_signature(CHECKOUT) != self._parsed:
            return True
        return bool(warm.reason) and time.monotonic() > self._prepared_at + _TRY_AGAIN_SECONDS

    def _prepare(self) -> WarmDbt:
        self._parsed = project_signature(CHECKOUT)
        self._prepared_at = time.monotonic()
        return WarmDbt(self._environment)


def _start_cold(job: Job) -> Invocation:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "elute.worker.child", str(theirs.fileno())],
            env=python_environment({}),
            cwd=CHECKOUT,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    assert process.stdin
    with process.stdin as stdin:
        stdin.write(json.dumps(job.as_json()).encode())
    return Invocation(ours, process.kill, is_warm=False)
