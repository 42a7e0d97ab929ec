"""Faults at random moments of runs, under readers who check every answer.

    "$ELUTE_HOME/venv-tests-3.11/bin/python" -m benchmarks.faults --faults 1000 --seed 1

Starts an `elute serve` of its own with its own PostgreSQL, in a scratch home, and a second worker.
Again and again it asks for a build, of one of a few known laboratories, and while that goes on lets
a few things go wrong. What has to hold:

- an answer with 200 is, byte for byte, of a build that was valid, and marts of one build agree;
- soon after the last fault the service is ready, and the next trigger builds and publishes;
- each run that a client was told of is there, and has ended; nothing of it is left in the
  database.

Prints a table, and every failure with what was done just before. Everything is on 127.0.0.1, and
only processes of that home are ended. As root, the home is a small file system that can be filled
up.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from contextlib import closing, contextmanager, suppress
from hashlib import blake2b
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2

from benchmarks.generate import Laboratory, generate
from elute.commands.tables import table
from tests.conftest import SAMPLE, without_settings
from tests.service import Process, Service, command_line, processes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RECOVERY_SECONDS = 120.0
DISK_BYTES = 1200 * 1024 * 1024
LABORATORIES = 4  # of each size
ORDER = {
    "user_summary": "user_id",
    "user_top_compounds": "user_id,compound_id",
    "compound_usage": "compound_id",
    "experiment_stats": "",
    "data_issues": "source_file,record_number,column_name,value",
    "input_summary": "source_file",
}
BAD_FILE = SAMPLE["users.csv"] + b"15,Olga,,,,\n"


class Campaign:
    """A service, what it may answer, and what went wrong.

    Args:
        home: an empty folder.
        seed: of all that is random.
        experiments: of the larger laboratories.
    """

    def __init__(self, home: Path, seed: int, experiments: int) -> None:
        self.random = random.Random(seed)
        self.service = Service(home, {**without_settings(), "ELUTE_KEEP_BUILDS": "3"})
        self.laboratories = self._laboratories(home, experiments)
        self.valid: dict[str, dict[bytes, set[int]]] = {mart: defaultdict(set) for mart in ORDER}
        self.of_build: dict[str, set[int]] = {}
        self.wrong: set[str] = set()
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []
        self.promised: list[int] = []
        self.done: list[str] = []
        self.lock = threading.Lock()
        self.standby: Process | None = None

    # What may be answered

    def learn(self) -> None:
        """Build each laboratory undisturbed, and keep what is answered then."""
        for number, files in enumerate(self.laboratories):
            self.service.write(**files)
            answer = self.service.ask("POST", "/trigger-etl?wait=120&force=1")
            assert answer.status == 200, answer.text
            for mart in ORDER:
                self.valid[mart][self._read(mart)[1]].add(number)

    def _read(self, mart: str) -> tuple[str, bytes]:
        answer = self.service.ask("GET", f"/marts/{mart}?order={ORDER[mart]}")
        assert answer.status == 200, answer.text
        build = answer.headers["ETag"].removeprefix('W/"').partition("-")[0]
        return build, blake2b(answer.text, digest_size=16).digest()

    def check_reading(self, mart: str) -> None:
        """One answer: of a valid build, and of the same one as others with its number."""
        try:
            answer = self.service.ask("GET", f"/marts/{mart}?order={ORDER[mart]}")
        except (OSError, HTTPException):  # no answer, or one that was broken off
            self.statuses[0] += 1
            return
        self.statuses[answer.status] += 1
        if answer.status != 200:
            if answer.status < 500 or not answer.json.get("detail"):
                self.fail(f"{mart} was answered with {answer.status}: {answer.text[:200]!r}")
            return
        build = answer.headers["ETag"].removeprefix('W/"').partition("-")[0]
        found = self.valid[mart].get(blake2b(answer.text, digest_size=16).digest(), set())
        with self.lock:
            agreed = self.of_build.setdefault(build, set(range(len(self.laboratories)))) & found
            self.of_build[build] = agreed
            is_news = not agreed and build not in self.wrong
            self.wrong |= {build} if is_news else set()
        if is_news:
            sizes = {path.name: path.stat().st_size for path in self.service.files.glob("*.csv")}
            self.fail(f"{mart} of build {build} is of no valid build, or of two: {found}, {sizes}")

    def fail(self, text: str) -> None:
        """Note a failure, with what was done before it."""
        line = f"{text}   after {', '.join(self.done[-6:])}"
        self.failures.append(line)
        print(f"FAILED {line}", file=sys.stderr, flush=True)

    # Faults

    def kill(self, word: str, number: signal.Signals = signal.SIGKILL) -> None:
        """A process of the home with this word in its command line."""
        found = [pid for pid in self.service.pids_of(word) if pid != os.getpid()]
        if found:
            with suppress(ProcessLookupError):
                os.kill(self.random.choice(found), number)

    def kill_of_postgresql(self, word: str | None, number: signal.Signals) -> None:
        """A process of the server; its first one if there is no word."""
        server = self.service.cluster.running()
        if server is None:
            return
        with suppress(OSError):
            children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
            named = [
                pid for pid in map(int, children) if (word or "") in " ".join(command_line(pid))
            ]
            found = [server.pid] if word is None else named
            if found:
                os.kill(self.random.choice(found), number)

    def end_session(self, which: str, query_only: bool = False) -> None:
        """A session with such a name, or only the query that it has going on."""
        with suppress(psycopg2.Error, AssertionError), self.session() as session:
            session.execute(
                "select case when %s then pg_cancel_backend(pid) else pg_terminate_backend(pid) end"
                " from pg_stat_activity where pid <> pg_backend_pid()"
                " and backend_type = 'client backend' and application_name like %s"
                " order by random() limit 1",
                [query_only, which],
            )

    def cancel(self) -> None:
        """The run that is going on."""
        runs = self.service.ask("GET", "/runs?state=running").json.get("runs", [])
        for run in runs:
            self.service.ask("DELETE", f"/runs/{run['run_id']}")

    def break_a_file(self) -> None:
        """For as long as it takes to see it, or not."""
        replace(self.service.files / "users.csv", BAD_FILE)

    def trigger_twice(self) -> None:
        """By two clients at once."""
        threads = [threading.Thread(target=self.trigger, args=["/runs?force=1"]) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def build_in_a_terminal(self) -> None:
        """Ended by a signal after a while, or by itself."""
        command = [sys.executable, "-m", "elute.cli", "build"]
        signals = [None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL]
        with subprocess.Popen(
            command,
            env=self.service.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            number = self.random.choice(signals)
            try:
                process.wait(self.random.uniform(1, 8) if number else RECOVERY_SECONDS)
            except subprocess.TimeoutExpired:
                process.send_signal(number or signal.SIGKILL)
            process.wait(RECOVERY_SECONDS)

    def restart(self, number: signal.Signals) -> None:
        """`elute serve` itself."""
        process = self.service.process
        process.process.send_signal(number)
        begun = time.monotonic()
        process.process.wait(RECOVERY_SECONDS)
        if number == signal.SIGTERM and time.monotonic() - begun > 30:
            self.fail("a stop took longer than 30 s")
        self.start()

    def start(self) -> None:
        """`elute serve`, as after a stop or a crash."""
        try:
            self.service.start()
        except Exception as error:
            self.fail(f"it did not start: {error}"[:500])
            self.service.start()

    def fill_the_disk(self) -> None:
        """For a moment."""
        filler = self.service.home / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1024 * 1024))
        time.sleep(self.random.uniform(0.1, 2))
        filler.unlink(missing_ok=True)

    def stop_standby(self) -> None:
        """The other worker, by a signal; another one takes its place."""
        if self.standby is not None:
            self.standby.process.send_signal(self.random.choice([signal.SIGTERM, signal.SIGKILL]))
            self.standby.process.wait(RECOVERY_SECONDS)
        log = self.service.home / f"standby-{len(self.done)}.log"
        self.standby = Process("worker", environment=self.service.environment, log=log)

    @property
    def faults(self) -> dict[str, Callable[[], None]]:
        """What can go wrong, by its name."""
        kill, term = signal.SIGKILL, signal.SIGTERM
        postgresql = self.kill_of_postgresql
        found: dict[str, Callable[[], None]] = {
            "web app killed": lambda: self.kill("dashboard.server"),
            "web app told to end": lambda: self.kill("dashboard.server", term),
            "worker killed": lambda: self.kill("worker"),
            "worker told to end": lambda: self.kill("worker", term),
            "warm dbt or a run of it killed": lambda: self.kill("dbt_warm.server"),
            "backend killed": lambda: postgresql("127.0.0.1(", kill),
            "checkpointer killed": lambda: postgresql("checkpointer", kill),
            "postmaster killed": lambda: postgresql(None, kill),
            "postmaster: smart shutdown": lambda: postgresql(None, term),
            "postmaster: fast shutdown": lambda: postgresql(None, signal.SIGINT),
            "session of a run ended": lambda: self.end_session("elute run %"),
            "run lock ended": lambda: self.end_session("elute run % run lock"),
            "any session ended": lambda: self.end_session("%"),
            "query of a run cancelled": lambda: self.end_session("elute run %", query_only=True),
            "run cancelled": self.cancel,
            "bad file": self.break_a_file,
            "two triggers": self.trigger_twice,
            "build in a terminal": self.build_in_a_terminal,
            "service told to end": lambda: self.restart(term),
            "service killed": lambda: self.restart(kill),
            "standby worker ended": self.stop_standby,
        }
        if os.path.ismount(self.service.home.parent):
            found["full disk"] = self.fill_the_disk
        return found

    # A round

    def trigger(self, path: str = "/trigger-etl?wait=0&force=1") -> None:
        """Ask for a build; remember the run that is promised."""
        with suppress(OSError):
            answer = self.service.ask("POST", path)
            if answer.status in (200, 202):
                run = answer.json.get("run", answer.json)
                self.promised.append(run["run_id"])

    def round(self, count: int) -> list[tuple[str, float]]:
        """A build, so many faults, and all well again; these, and the seconds until then."""
        self.settle()  # Or it would read some files of one laboratory, and some of another.
        files = self.random.choice(self.laboratories)
        for name, content in files.items():
            replace(self.service.files / f"{name}.csv", content)
        self.trigger()
        done = self.random.choices(list(self.faults), k=count)
        for name in done:
            time.sleep(self.random.uniform(0, 2))
            self.done.append(name)
            with suppress(OSError):
                self.faults[name]()
        replace(self.service.files / "users.csv", files["users"])
        seconds = self.recover()
        return [(name, seconds) for name in done]

    def settle(self) -> None:
        """Wait until no run is waiting or going on."""
        until = time.monotonic() + RECOVERY_SECONDS
        while time.monotonic() < until:
            answers = [
                self.service.ask("GET", f"/runs?state={state}") for state in ("queued", "running")
            ]
            if all(answer.status == 200 and not answer.json["runs"] for answer in answers):
                return
            time.sleep(0.2)
        self.fail(f"runs go on after {RECOVERY_SECONDS:.0f} s: {answers}"[:500])

    def recover(self) -> float:
        """Wait until a trigger publishes; the seconds that took."""
        begun = time.monotonic()
        if self.service.process.process.poll() is not None:
            self.fail("elute serve ended")
            self.start()
        until = begun + RECOVERY_SECONDS
        said: Any = None
        while time.monotonic() < until:
            with suppress(OSError):
                said = self.service.ask("POST", "/trigger-etl?wait=60&force=1")
                if said.status == 200:
                    break
            time.sleep(0.3)
        else:
            self.fail(f"no build succeeded for {RECOVERY_SECONDS:.0f} s: {said}")
        seconds = time.monotonic() - begun
        self.check_runs()
        return seconds

    def check_runs(self) -> None:
        """Each run that was promised is there and has ended, and nothing of it is left."""
        until = time.monotonic() + RECOVERY_SECONDS
        for run_id in self.promised:
            while True:
                answer = self.service.ask("GET", f"/runs/{run_id}")
                if answer.status == 200 and answer.json["state"] not in ("queued", "running"):
                    break
                if answer.status == 404 or time.monotonic() > until:
                    self.fail(f"run {run_id} was promised: {answer.status} {answer.text[:200]!r}")
                    break
                time.sleep(0.2)
        self.promised.clear()
        with suppress(psycopg2.Error), self.session() as session:
            session.execute("select count(*) from elute.runs where state = 'running'")
            [[running]] = session.fetchall()
            session.execute(
                "select count(*) from pg_stat_activity where application_name like 'elute run %'"
            )
            [[left]] = session.fetchall()
            if left and not running:
                self.fail(f"{left} sessions of runs are left")

    @contextmanager
    def session(self) -> Iterator[Any]:
        """A session of the server's owner, that commits by itself."""
        with closing(psycopg2.connect(**self.service.parameters)) as session:
            session.autocommit = True
            with session.cursor() as cursor:
                yield cursor

    def stop(self) -> None:
        """End all of it."""
        if self.standby is not None:
            self.standby.stop()
        self.service.process.stop()
        self.service.cluster.stop()
        until = time.monotonic() + 10  # Those whose parent was killed end a moment later.
        while (left := processes_of(self.service.home)) and time.monotonic() < until:
            time.sleep(0.1)
        for pid in left:
            self.fail(f"process {pid} is left: {' '.join(command_line(pid))}")
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _laboratories(self, home: Path, experiments: int) -> list[dict[str, bytes]]:
        large = home.parent / "large"
        large.mkdir()
        generate(large, Laboratory.of(experiments))
        bases = [SAMPLE, {path.name: path.read_bytes() for path in large.glob("*.csv")}]
        shutil.rmtree(large)
        return [
            {
                name.removesuffix(".csv"): content + (more if name == "users.csv" else b"")
                for name, content in base.items()
            }
            for base in bases
            for more in (b"900%03d,Extra,,\n" % number for number in range(LABORATORIES))
        ]


def replace(path: Path, content: bytes) -> None:
    """Put a whole file in the place of another."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.replace(path)


def run(campaign: Campaign, faults: int) -> list[tuple[str, float]]:
    """All rounds, under readers."""
    campaign.learn()
    campaign.stop_standby()
    is_over = threading.Event()

    def read() -> None:
        while not is_over.wait(0.05):
            for mart in ORDER:
                campaign.check_reading(mart)

    readers = [threading.Thread(target=read, daemon=True) for _ in range(2)]
    for reader in readers:
        reader.start()
    done: list[tuple[str, float]] = []
    begun = time.monotonic()
    while len(done) < faults:
        done += campaign.round(min(campaign.random.randint(1, 12), faults - len(done)))
        print(f"{len(done)} faults in {time.monotonic() - begun:.0f} s", flush=True)
    is_over.set()
    for reader in readers:
        reader.join()
    return done


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty home; as root, on a file system of its own."""
    parent = Path(tempfile.mkdtemp(prefix="elute-faults-"))
    parent.chmod(0o711)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=711", "tmpfs", str(parent)]
    is_mounted = os.geteuid() == 0 and subprocess.run(mount, check=False).returncode == 0
    try:
        (parent / "home").mkdir()
        yield parent / "home"
    finally:
        if is_mounted:
            subprocess.run(["umount", "--lazy", str(parent)], check=False)
        shutil.rmtree(parent, ignore_errors=True)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Let things go wrong, and look.")
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--experiments", type=int, default=50_000, help="of a larger laboratory")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to end what it has started
    with scratch() as home:
        campaign = Campaign(home, arguments.seed, arguments.experiments)
        try:
            done = run(campaign, arguments.faults)
        finally:
            campaign.stop()
            for path in sorted(home.glob("said-*.log"))[-1:] if campaign.failures else ():
                print(path.read_text(errors="replace")[-3000:], file=sys.stderr)
    seconds: dict[str, list[float]] = defaultdict(list)
    for name, taken in done:
        seconds[name].append(taken)
    rows = [
        [name, str(len(taken)), f"{statistics.median(taken):.1f} s", f"{max(taken):.1f} s"]
        for name, taken in sorted(seconds.items())
    ]
    print(table(["fault", "times", "well again, median", "at most"], rows))
    print(f"answers by status: {json.dumps(dict(campaign.statuses.most_common()))}")
    print(f"{len(done)} faults, {len(campaign.failures)} failures")
    sys.exit(bool(campaign.failures))


if __name__ == "__main__":
    main()
