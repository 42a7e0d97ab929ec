"""dbt kept loaded: the caller's end of the warm process, and cold children for want of one."""

import contextlib
import json
import logging
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from dbt_warm.child import Request
from dbt_warm.invocation import Invocation
from dbt_warm.project import Project, look_at

_PREPARE_SECONDS = 120.0
_END_SECONDS = 1.0
_RETRY_SECONDS = 300.0  # after dbt could not be kept loaded
_QUIET = (
    # What multiprocessing says when a process was killed; it tidies up all the same.
    *("-W", "ignore::UserWarning:multiprocessing.resource_tracker"),
    # That the package imports, too, the module that the process is to run.
    *("-W", "ignore::RuntimeWarning:runpy"),
)
logger = logging.getLogger(__name__)


class WarmDbt:
    """dbt kept loaded and a project kept parsed, for one invocation at a time, each in a child.

    A context manager. Whatever keeps dbt from being kept loaded, `invoke` works: it then starts
    dbt cold. It has no thread of its own: call `renew` when idle, to have a changed project parsed.

    Args:
        project_dir: the folder with dbt_project.yml.
        profiles_dir: the folder with profiles.yml. Default: that of the project, if it has one, or
            else where dbt looks for it.
        environment: gives all environment variables for the process that parses the project,
            and for requests that bring none; called each time. Default: those of this process.
        parse_arguments: more arguments for `dbt parse`, such as ``["--target-path", "parsed"]``.
        more_paths: files and folders elsewhere that the project consists of, such as those in its
            `seed-paths`.
    """

    def __init__(
        self,
        project_dir: str | Path,
        profiles_dir: str | Path | None = None,
        *,
        environment: Callable[[], Mapping[str, str]] = lambda: os.environ,
        parse_arguments: Sequence[str] = (),
        more_paths: Sequence[str | Path] = (),
    ) -> None:
        self._folder = Path(project_dir).absolute()
        profiles = Path(profiles_dir or project_dir, "profiles.yml").absolute()
        self._folders = ["--project-dir", str(self._folder)]
        if profiles_dir or profiles.exists():
            self._folders += ["--profiles-dir", str(profiles.parent)]
        self._environment = environment
        self._parse_arguments = [*self._folders, *parse_arguments]
        self._paths = [profiles, self._folder, *more_paths]
        self._process: _WarmProcess | None = None
        self._successor: _WarmProcess | None = None

    def __enter__(self) -> "WarmDbt":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to load dbt, if that has not begun; does not wait."""
        if self._process is None:
            self._process = self._new_process()

    def stop(self) -> None:
        """End its processes. A child at work ends when its invocation is closed."""
        for process in (self._process, self._successor):
            if process:
                process.stop()
        self._process = self._successor = None

    @property
    def is_ready(self) -> bool:
        """Whether it is known by now if dbt can be kept loaded."""
        return bool(self._process and self._process.is_settled())

    @property
    def problem(self) -> str | None:
        """Why invocations are cold, and will be; None if they are not."""
        return self._process.problem if self._process else None

    def loading(self) -> list["_WarmProcess"]:
        """For `select`: readable when `is_ready`, or `renew`, has news."""
        processes = (self._process, self._successor)
        return [process for process in processes if process and process.is_loading]

    def invoke(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
        niceness: int = 0,
        parses: bool = False,
    ) -> Invocation:
        """Start a dbt command in a child. One at a time. Waits only for dbt still being loaded.

        Args:
            arguments: as on dbt's command line, such as ``["build", "--select", "orders"]``.
            environment: all the environment variables it gets.
            secrets: texts of four characters or more that no event and no outcome may hold.
            niceness: how much other processes go first, 0 to 19.
            parses: whether to parse the project, for this environment makes another one of it.
        """
        given = self._environment() if environment is None else environment
        request = Request([*arguments, *self._folders], dict(given), list(secrets), niceness)
        self.start()
        process = self._process
        assert process
        while not process.is_settled():
            select.select([process], [], [], 1.0)
        if process.problem is None:
            try:
                is_unchanged = not parses and process.has_parsed_it()
                return process.invoke(request, is_unchanged=is_unchanged)
            except OSError as error:
                process.problem = f"its process is gone ({error})"
        return _start_cold(request, self._folder)

    def renew(self) -> None:
        """Load dbt anew if the project has changed or its process is gone; does not wait.

        For idle moments, again and again: the new process takes over when it is ready.
        """
        if self._process is None or not self._process.is_settled():
            return
        if self._successor is None:
            if self._process.is_outdated():
                logger.info("The project has changed, or dbt's process is gone: loading it anew.")
                self._successor = self._new_process()
        elif self._successor.is_settled():
            self._process.stop()
            self._process, self._successor = self._successor, None

    def _new_process(self) -> "_WarmProcess":
        look = partial(look_at, *self._paths)
        return _WarmProcess(self._parse_arguments, self._environment(), self._folder, look)


class _WarmProcess:
    """The caller's end of one process of `dbt_warm.server`.

    Attributes:
        problem: why it cannot be used; None if it can, or may yet.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        look: Callable[[], Project],
    ) -> None:
        self._look = look
        self._parsed: Project | None = look()  # before dbt reads it
        self._process, self._control = _start("dbt_warm.server", arguments, environment, folder)
        self._started_at = time.monotonic()
        self._is_prepared = False
        self.problem: str | None = None

    def fileno(self) -> int:
        return self._control.fileno()

    @property
    def is_loading(self) -> bool:
        """Whether it was not known, when last looked at, if it can be used."""
        return not (self._is_prepared or self.problem)

    def is_settled(self) -> bool:
        """Whether it is known if it can be used. Looks at it, and does not wait."""
        if not self.is_loading:
            return True
        if select.select([self._control], [], [], 0)[0]:
            line = self._control.recv(65536)
            answer = json.loads(line) if line else {"problem": "its process ended"}
            self.problem = answer.get("problem")
            self._is_prepared = self.problem is None
            if self._look() != self._parsed:
                self._parsed = None  # dbt may have read what was there before, after or between.
        elif time.monotonic() > self._started_at + _PREPARE_SECONDS:
            self.problem = f"it was not ready after {_PREPARE_SECONDS:.0f} seconds"
        return not self.is_loading

    def has_parsed_it(self) -> bool:
        """Whether the project is still the one that it has parsed."""
        return bool(self._parsed and self._parsed.files == self._look().files)

    def is_outdated(self) -> bool:
        """Whether another one should take over."""
        is_gone = self._is_prepared and self._process.poll() is not None
        if is_gone or not self.has_parsed_it():
            return True
        return bool(self.problem) and time.monotonic() > self._started_at + _RETRY_SECONDS

    def invoke(self, request: Request, *, is_unchanged: bool) -> Invocation:
        """Have it fork a child.

        Args:
            request: for the child.
            is_unchanged: whether the child takes the project as it was parsed.

        Raises:
            OSError: it is gone.
        """
        # If the project is another one, the child parses it: partially, which takes a moment.
        message = {"request": asdict(request), "is_unchanged": is_unchanged}
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                line = json.dumps(message).encode() + b"\n"
                sent = socket.send_fds(self._control, [line], [theirs.fileno()])
                self._control.sendall(line[sent:])
            except OSError:
                ours.close()
                raise
        return Invocation(ours, self._kill_child, self._abandon, is_warm=True)

    def stop(self) -> None:
        self._control.close()
        try:
            self._process.wait(_END_SECONDS if self._is_prepared else 0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _kill_child(self) -> None:
        with contextlib.suppress(OSError):
            self._control.sendall(b'{"kill": true}\n')

    def _abandon(self) -> None:
        self.problem = "it did not end an invocation that it was told to end"
        self._process.kill()


def _start_cold(request: Request, folder: Path) -> Invocation:
    written = json.dumps(asdict(request)).encode()
    process, channel = _start("dbt_warm.child", [], request.environment, folder, written)
    threading.Thread(target=process.wait, daemon=True).start()  # or it stays, as a zombie
    return Invocation(channel, process.kill, is_warm=False)


def _start(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    stdin: bytes = b"",
) -> "tuple[subprocess.Popen[bytes], socket.socket]":
    """Run a module in the folder; its first argument is the descriptor of its end of a socket."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, *_QUIET, "-m", module, str(theirs.fileno()), *arguments],
            cwd=folder,
            env=environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    assert process.stdin
    with contextlib.suppress(BrokenPipeError), process.stdin:  # It has died, as `ours` says.
        process.stdin.write(stdin)
    return process, ours
