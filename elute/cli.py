"""The `elute` command.

Each command's module is imported when it is called, so that `--help` and `env` are quick.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from elute.errors import EluteError
from elute.private import keep_private
from elute.settings import Settings

# Everything after these goes to the command as it stands, for dbt to read.
_PASS_ON = ("build",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Returns:
        0 for success, 1 for a failure that was explained on standard error, 2 for a command that
        does not exist, 130 after Ctrl-C.
    """
    options, rest = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(options, rest)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _discard_output()
        return 1
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


def _run(options: argparse.Namespace, rest: list[str]) -> int:
    settings = Settings.from_environment()
    keep_private(settings.home)
    if options.command == "db":
        from elute.commands import db  # noqa: PLC0415

        return db.run(settings, options.action)
    if options.command == "env":
        from elute import environment  # noqa: PLC0415

        return environment.run(settings)
    if options.command == "check":
        from elute.commands import check  # noqa: PLC0415

        return check.run(settings, options.files)
    if options.command == "worker":
        from elute.worker import worker  # noqa: PLC0415

        return worker.run(settings, options.lifeline)
    if options.command == "serve":
        from elute.serve import supervisor  # noqa: PLC0415

        return supervisor.run(settings, options.token)
    from elute.commands import build  # noqa: PLC0415

    return build.run(settings, rest)


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The options of `elute` itself, and what is for the command to read."""
    words = [index for index, word in enumerate(arguments) if not word.startswith("-")]
    if words and arguments[words[0]] in _PASS_ON:
        own = words[0] + 1
        return _parser().parse_args(arguments[:own]), list(arguments[own:])
    return _parser().parse_args(arguments), []


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
    from elute import log_file  # noqa: PLC0415

    what = f"something unexpected went wrong ({type(error).__name__})"
    try:
        settings = Settings.from_environment()
        log_file.write(settings, f"elute {' '.join(sys.argv[1:])}", error)
    except (OSError, EluteError):
        return f"{what}, and no log could be written; 'elute --debug ...' shows the details."
    return f"{what}; the details are in {settings.log_file}."


def _discard_output() -> None:
    """Whoever read our output has gone: let the interpreter flush into nothing at exit."""
    import os  # noqa: PLC0415

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
