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
    "elute.worker.recorder",
)
# Python reads these when it starts.
READ_AT_START = ("PYTHON", "LC_", "LANG")


class WarmElute:
    """How to ask such a process for commands."""

    def __init__(self, address: Path) -> None:
        self._address = address

    @staticmethod
    def can_run(variables: Mapping[str, str]) -> bool:
        """Whether a fork is all the same with these changes to the environment."""
        return not any(name.startswith(READ_AT_START) for name in variables)

    def run(
        self, command: list[str], folder: Path, environment: Mapping[str, str], seconds: float
    ) -> "subprocess.CompletedProcess[str]":
        """As `subprocess.run` with the output captured; the command begins with elute or dbt."""
        with (
            tempfile.NamedTemporaryFile() as out,
            tempfile.NamedTemporaryFile() as err,
            socket.socket(socket.AF_UNIX) as connection,
        ):
            request = {
                "command": command,
                "folder": str(folder),
                "environment": dict(environment),
                "output": [out.name, err.name],
            }
            connection.settimeout(seconds)
            connection.connect(str(self._address))
            connection.sendall(json.dumps(request).encode() + b"\n")
            status = int(connection.makefile().readline())
            return subprocess.CompletedProcess(
                command, status, out.read().decode(), err.read().decode()
            )


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
    with tempfile.TemporaryDirectory() as folder:
        paths = ["--project-dir", str(CHECKOUT / "dbt_project"), "--profiles-dir", str(CHECKOUT)]
        # The static parser starts threads, which a fork would not have, and would wait for.
        quietly = ["--no-static-parser", "--log-level", "none", "--log-level-file", "none"]
        done = dbtRunner().invoke(["parse", *paths, "--target-path", folder, *quietly])
        assert done.success, done.exception
    for macro in done.result.macros.values():  # type: ignore[union-attr]
        template_cache.get_node_template(macro)


def answer(connection: socket.socket) -> None:
    """Fork once more, and send how that ended."""
    request = json.loads(connection.makefile().readline())
    child = os.fork()
    if child == 0:
        connection.close()
        become(request)
    _, status = os.waitpid(child, 0)
    connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def become(request: dict[str, Any]) -> None:
    """Run the command, and end as it does."""
    for number, path in enumerate(request["output"], start=1):
        with Path(path).open("ab") as file:
            os.dup2(file.fileno(), number)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["command"]
    entry_points = {"elute": "elute.cli:main", "dbt": "dbt.cli.main:cli"}
    module, name = entry_points[sys.argv[0]].split(":")
    sys.exit(getattr(importlib.import_module(module), name)())


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
