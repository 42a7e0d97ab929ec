"""`elute` and `dbt` in forks of a process that has imported dbt, which takes two seconds each time.

What a fork does is what a new process does, but for what is the same in each: the import, and what
dbt works out once about its own classes. It has the same entry point, with arguments, environment,
working folder and output of its own.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from elute.settings import CHECKOUT

IMPORTED = (
    "dbt.cli.main",
    "dbt.adapters.pgcopy",
    "elute.cli",
    "elute.commands.build",
    "elute.commands.check",
    "elute.runs.recorder",
)
# Python reads these when it starts.
READ_AT_START = ("PYTHON", "LC_", "LANG")


class Command:
    """One that goes on.

    Attributes:
        pid: of its process.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._told = connection.makefile()
        self.pid = int(self._told.readline())

    def wait(self) -> int:
        """The status that it ends with, as `subprocess` has it."""
        with self._told:
            return int(self._told.readline())


class WarmElute:
    """How to ask such a process for commands, which begin with elute or dbt."""

    def __init__(self, address: Path) -> None:
        self._address = address

    @staticmethod
    def can_run(variables: Mapping[str, str]) -> bool:
        """Whether a fork is all the same with these changes to the environment."""
        return not any(name.startswith(READ_AT_START) for name in variables)

    def start(
        self,
        command: list[str],
        folder: Path,
        environment: Mapping[str, str],
        output: tuple[int, int],
        seconds: float,
    ) -> Command:
        """Let it write to these files, and wait no longer than so for its end."""
        request = {"command": command, "folder": str(folder), "environment": dict(environment)}
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            connection.connect(str(self._address))
            socket.send_fds(connection, [b"0"], output)
            connection.sendall(json.dumps(request).encode() + b"\n")
            return Command(connection)

    def run(
        self, command: list[str], folder: Path, environment: Mapping[str, str], seconds: float
    ) -> "subprocess.CompletedProcess[str]":
        """As `subprocess.run` with the output captured."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            output = (out.fileno(), err.fileno())
            status = self.start(command, folder, environment, output, seconds).wait()
            said = []
            for file in (out, err):
                file.seek(0)
                said.append(file.read().decode())
            return subprocess.CompletedProcess(command, status, *said)


@contextmanager
def warm_elute(environment: Mapping[str, str]) -> Iterator[WarmElute]:
    """Start one, and end it. Who asks before it is ready waits."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        address = Path(folder) / "socket"
        listener.bind(str(address))
        listener.listen()
        with subprocess.Popen(
            [sys.executable, "-m", "tests.warm_elute", str(listener.fileno())],
            stdin=subprocess.PIPE,
            pass_fds=[listener.fileno()],
            env={**environment, "PYTHONPATH": str(Path(__file__).parents[1])},
        ) as process:
            yield WarmElute(address)
            assert process.stdin
            process.stdin.close()


def serve(listener: socket.socket) -> None:
    """Answer each request in a process of its own, until there is no more standard input."""
    gc.disable()
    for module in IMPORTED:
        importlib.import_module(module)
    parse()
    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        connection, _ = listener.accept()
        with connection:
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                answer(connection)
                os._exit(0)


def parse() -> None:
    """Parse the project: what stays are the schemas of dbt's classes, and each macro compiled."""
    from dbt.cli.main import dbtRunner  # noqa: PLC0415 (only in the process that is forked)
    from dbt_common.clients.jinja import template_cache  # noqa: PLC0415

    os.environ.update(PGHOST="nowhere", PGUSER="nobody", DBT_SEND_ANONYMOUS_USAGE_STATS="0")
    os.environ["DBT_WRITE_JSON"] = "0"
    with tempfile.TemporaryDirectory() as folder:
        paths = ["--project-dir", str(CHECKOUT / "dbt_project"), "--profiles-dir", str(CHECKOUT)]
        # The static parser starts threads, which a fork would not have, and would wait for.
        quietly = ["--no-static-parser", "--log-level", "none", "--log-level-file", "none"]
        done = dbtRunner().invoke(["parse", *paths, "--target-path", folder, *quietly])
        assert done.success, done.exception
    for macro in done.result.macros.values():  # type: ignore[union-attr]
        template_cache.get_node_template(macro)


def answer(connection: socket.socket) -> None:
    """Fork once more, and send which process that is and how it ended."""
    _, output, _, _ = socket.recv_fds(connection, 1, 2)
    request = json.loads(connection.makefile().readline())
    child = os.fork()
    if child == 0:
        connection.close()
        become(request, output)
    connection.sendall(b"%d\n" % child)
    _, status = os.waitpid(child, 0)
    connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def become(request: dict[str, Any], output: list[int]) -> None:
    """Run the command, and end as it does."""
    for number, file in enumerate(output, start=1):
        os.dup2(file, number)
    # They know of the files that they were made for whether these can be sought in.
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["command"]
    entry_points = {"elute": "elute.cli:main", "dbt": "dbt.cli.main:cli"}
    module, name = entry_points[sys.argv[0]].split(":")
    sys.exit(getattr(importlib.import_module(module), name)())


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
