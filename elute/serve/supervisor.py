"""Starts the parts of the service, watches over them, and stops them."""

import os
import signal
import subprocess
import sys
import time
from http.client import HTTPException

from elute.database import schema
from elute.database.server import is_embedded
from elute.environment import adopt
from elute.private import own_token
from elute.serve import stop_server
from elute.serve.child import Child
from elute.serve.exposure import require_token_if_exposed
from elute.serve.lock import ServeError, address, health, listen, lock_home
from elute.settings import CHECKOUT, Settings
from elute.signals import STOPPING, Waiter

_STOP_SECONDS = 7.0  # for web app and worker together, before they are killed
_MOST_ENDS = 5
_LOOK_SECONDS = 0.2


def run(settings: Settings, with_token: bool = False) -> int:
    """`elute serve`: run everything until Ctrl-C or SIGTERM.

    Args:
        settings: of all parts.
        with_token: whether changes need the token in ELUTE_HOME, which is made if need be.

    Returns:
        0 when it was told to stop.

    Raises:
        ServeError: the settings, the home or the port do not allow it, or the web app keeps ending.
        ServerError: there is no database.
    """
    if with_token and not settings.tokens:
        settings = _with_own_token(settings)
    require_token_if_exposed(settings)
    held = lock_home(settings)
    for listener in listen(settings):  # To say now why it cannot be.
        listener.close()
    waiter = Waiter()
    waiter.listen()
    supervisor = Supervisor(settings, waiter, held)
    try:
        with waiter.breaking_off():
            adopt(settings)
            schema.upgrade(os.environ)
        supervisor.watch()
    except KeyboardInterrupt:
        pass
    finally:
        supervisor.stop()
    return 0


def _with_own_token(settings: Settings) -> Settings:
    try:
        os.environ["ELUTE_TOKEN"] = own_token(settings.home)
    except OSError as error:
        raise ServeError(
            f"The token in {settings.home} cannot be read or made: {error.strerror}. "
            "Give this account access to it, or set ELUTE_TOKEN."
        ) from error
    except UnicodeError as error:
        raise ServeError(
            f"{settings.home / 'token'} is not in ASCII. Remove it, and a token is made anew."
        ) from error
    print(f"Changes need the token in {settings.home / 'token'}.", flush=True)
    return Settings.from_environment()


class Supervisor:
    """The parts, and the pipes by which they notice that we are gone.

    Args:
        settings: where everything is.
        waiter: tells when to stop.
        held: descriptor of the home's lock, which lasts until the last part has ended.
    """

    def __init__(self, settings: Settings, waiter: Waiter, held: int) -> None:
        self._settings, self._waiter = settings, waiter
        lifeline, self._our_life = os.pipe()
        others_end, others_live = os.pipe()
        self._stopper = self._start_stopper(lifeline, others_end, held)
        inherited = [others_live, held]
        worker = ["-m", "elute.cli", "worker", "--lifeline", "0"]
        web = ["-m", "dashboard.server", "--lifeline"]
        self._web = Child("web app", web, lifeline, inherited)
        self._worker = Child("worker", worker, lifeline, inherited)
        self._others_live = others_live
        self._has_said = False

    def watch(self) -> None:
        """Start the parts and keep them going until told to stop.

        Raises:
            ServeError: the web app ends again and again.
        """
        while not self._waiter.is_stopping:
            for child in (self._web, self._worker):
                status = child.look_after()
                if status is not None:
                    self._note_end(child, status)
            if not self._has_said and self._answers():
                print(f"Elute is at {address(self._settings)} (Ctrl-C stops it).", flush=True)
                self._has_said = True
            self._waiter.wait(_LOOK_SECONDS)

    def stop(self) -> None:
        """Stop the parts, the database last."""
        deadline = time.monotonic() + _STOP_SECONDS
        for child in (self._web, self._worker):
            child.terminate()
        for child in (self._web, self._worker):
            child.end(deadline)
        os.close(self._others_live)
        os.close(self._our_life)
        if self._stopper and self._stopper.wait() != 0:  # It was killed.
            stop_server.stop(self._settings)

    def _start_stopper(
        self, lifeline: int, others_end: int, held: int
    ) -> "subprocess.Popen[bytes] | None":
        if not is_embedded(self._settings):
            return None
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            return subprocess.Popen(
                [sys.executable, "-m", "elute.serve.stop_server", str(others_end)],
                stdin=lifeline,
                pass_fds=[others_end, held],
                cwd=CHECKOUT,
                start_new_session=True,
            )
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)

    def _note_end(self, child: Child, status: int) -> None:
        print(f"elute: the {child.name} ended (status {status}); again.", file=sys.stderr)
        has_given_up = status > 0  # and was not killed
        if child is self._web and has_given_up and child.ends >= _MOST_ENDS:
            raise ServeError(
                f"The web app ended {child.ends} times in a row, the last time with status "
                f"{status}. What it said is above and in {self._settings.home / 'logs'}. "
                "Mend that, and start again."
            )

    def _answers(self) -> bool:
        """Whether the web app answers, with whatever."""
        try:
            return bool(health(self._settings, 2))
        except (OSError, HTTPException):
            return False
