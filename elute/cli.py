"""The `elute` command.

Each command's module is imported when it is called, so that `--help` and `env` are quick.
"""

import argparse
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from elute.errors import EluteError
from elute.private import keep_private
from elute.settings import Settings

# Each command's module, whose `run` takes the settings, and which of the options it takes.
_COMMANDS = {
    "build": ("elute.commands.build", "rest"),
    "check": ("elute.commands.check", "files"),
    "db": ("elute.commands.db", "action"),
    "env": ("elute.environment",),
    "serve": ("elute.serve.supervisor", "token"),
    "worker": ("elute.worker.worker", "lifeline"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Returns:
        0 for success, 1 for a failure that was explained on standard error, 2 for a command that
        does not exist, 130 after Ctrl-C, 141 if whoever read the output has gone.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error does by itself
    options, rest = parse(sys.argv[1:] if arguments is None else arguments)
    options.rest = rest
    try:
        return _run(options)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _discard_output()
        return 128 + signal.SIGPIPE
    except EluteError as error:
        if options.debug:
            raise
        print(f"elute: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        if options.debug:
            raise
        print(f"elute: {_unexpected(error)}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    settings = Settings.from_environment()
    keep_private(settings.home)
    module, *names = _COMMANDS[options.command]
    command = importlib.import_module(module)
    status: int = command.run(settings, *(getattr(options, name) for name in names))
    return status


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The options of `elute` itself, and those that `build` hands to dbt as they stand."""
    words = [index for index, word in enumerate(arguments) if not word.startswith("-")]
    own = words[0] + 1 if words and arguments[words[0]] == "build" else len(arguments)
    return _parser().parse_args(arguments[:own]), list(arguments[own:])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="elute",
        description="From three CSV files of experiment records to one tested table.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--debug", action="store_true", help="show where in the program a failure came from"
    )
    parser.add_argument("--version", action="version", version=f"elute {version('elute')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands.add_parser(
        "build",
        help="load the files and build the tables; options after it go to 'dbt build'",
        add_help=False,
    )
    serve = commands.add_parser("serve", help="web app, worker and database, until Ctrl-C")
    serve.add_argument(
        "--token",
        action="store_true",
        help="let only who can read the file 'token' in ELUTE_HOME, which it makes, change things",
    )
    worker = commands.add_parser("worker", help="carry out the runs that others ask for")
    # For `elute serve`: end when the other end of this pipe is closed.
    worker.add_argument("--lifeline", type=int, help=argparse.SUPPRESS)
    check = commands.add_parser("check", help="look for problems in the set-up and in the files")
    check.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="look at this CSV file or workbook instead",
    )
    database = commands.add_parser("db", help="start, stop or look at Elute's own PostgreSQL")
    database.add_argument("action", choices=["start", "stop", "status"])
    commands.add_parser("env", help='print settings for a shell: eval "$(elute env)"')
    return parser


def _unexpected(error: Exception) -> str:
    """Write the traceback to the log file and return one sentence that says where it is."""
    from elute import logs  # noqa: PLC0415

    reason = error if isinstance(error, OSError) else type(error).__name__
    what = f"something unexpected went wrong ({reason})"
    try:
        path = logs.write(Settings.from_environment(), f"elute {' '.join(sys.argv[1:])}", error)
    except (OSError, EluteError):
        return f"{what}, and no log could be written; 'elute --debug ...' shows the details."
    return f"{what}; the details are in {path}."


def _discard_output() -> None:
    """Whoever read our output has gone: let the interpreter flush into nothing at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
